#!/usr/bin/env bash
# Make the certificates of the tests again, with keys that are no secret: tests/certificates/make.sh
#
#   ca.pem                  trusted by nobody but the tests; folder/ has it under the name that OpenSSL looks for
#   server.pem              ollama.example, localhost, 127.0.0.1 and ::1, with its key
#   expired.pem             the same as server.pem, but valid in 2020 only
#   client.pem              a client's, with its key
#   client_encrypted.pem    the same, its key encrypted (the password is "password")
#
# All others are valid from 2020 to 2120: no clock of a machine matters.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

cat >"$work/ca.conf" <<CONFIG
[ca]
default_ca = tests
[tests]
database = $work/index
rand_serial = yes
new_certs_dir = $work
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:ollama.example,DNS:localhost,IP:127.0.0.1,IP:::1
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:client.example
CONFIG
: >"$work/index"

# NAME SIGNER... [-enddate END]
certify() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"
    openssl req -new -key "$work/$1.key" -subj "/CN=$1 of the tests" -out "$work/$1.csr"
    openssl ca -batch -notext -config "$work/ca.conf" -extensions "$1" -in "$work/$1.csr" -out "$work/$1.crt" \
        -startdate 20200101000000Z -enddate 21200101000000Z "${@:2}" 2>/dev/null
}

certify authority -selfsign -keyfile "$work/authority.key"
for name in server client; do
    certify "$name" -cert "$work/authority.crt" -keyfile "$work/authority.key"
    cat "$work/$name.crt" "$work/$name.key" >"$name.pem"
done
certify server -cert "$work/authority.crt" -keyfile "$work/authority.key" -enddate 20210101000000Z
cat "$work/server.crt" "$work/server.key" >expired.pem
openssl pkcs8 -topk8 -in "$work/client.key" -passout pass:password -out "$work/encrypted.key"
cat "$work/client.crt" "$work/encrypted.key" >client_encrypted.pem
cp "$work/authority.crt" ca.pem

rm -rf folder
mkdir folder
cp ca.pem "folder/$(openssl x509 -in ca.pem -noout -hash).0"
