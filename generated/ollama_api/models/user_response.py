from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from ..types import (
    MISSING,
    mapping,
    read,
    text,
)


@define(kw_only=True)
class UserResponse:
    """An account on ollama.com.

    Attributes:
        id (str): Its UUID.
        email (str): Its e-mail address.
        name (str): Its name, and the namespace of its models.
        bio (str | None): What its owner wrote about themselves.
        avatarurl (str | None): Where its picture is.
        firstname (str | None): Its owner's first name.
        lastname (str | None): Its owner's last name.
        plan (str | None): What it has subscribed to, such as `free`.
        additional_properties (dict[str, Any]): Fields that the spec does not know; sent as they
            are.
    """

    id: str
    email: str
    name: str
    bio: str | None = None
    avatarurl: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    plan: str | None = None
    additional_properties: dict[str, Any] = field(factory=dict[str, Any])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Decode a parsed JSON object; SpecError names the field that is missing or wrong."""
        if type(data) is not dict:
            data = mapping(data)
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.id = value = pop("id", MISSING)
        if type(value) is not str:
            self.id = read(text, value, "id")
        self.email = value = pop("email", MISSING)
        if type(value) is not str:
            self.email = read(text, value, "email")
        self.name = value = pop("name", MISSING)
        if type(value) is not str:
            self.name = read(text, value, "name")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.bio = None
            self.avatarurl = None
            self.firstname = None
            self.lastname = None
            self.plan = None
            self.additional_properties = rest
            return self
        self.bio = value = pop("bio", None)
        if value is not None and type(value) is not str:
            self.bio = read(text, value, "bio")
        self.avatarurl = value = pop("avatarurl", None)
        if value is not None and type(value) is not str:
            self.avatarurl = read(text, value, "avatarurl")
        self.firstname = value = pop("firstname", None)
        if value is not None and type(value) is not str:
            self.firstname = read(text, value, "firstname")
        self.lastname = value = pop("lastname", None)
        if value is not None and type(value) is not str:
            self.lastname = read(text, value, "lastname")
        self.plan = value = pop("plan", None)
        if value is not None and type(value) is not str:
            self.plan = read(text, value, "plan")
        self.additional_properties = rest
        return self

    def to_dict(self) -> dict[str, Any]:
        """Encode as a JSON object, without the fields that are None."""
        data: dict[str, Any] = {
            "id": self.id,
            "email": self.email,
            "name": self.name,
        }
        if self.bio is not None:
            data["bio"] = self.bio
        if self.avatarurl is not None:
            data["avatarurl"] = self.avatarurl
        if self.firstname is not None:
            data["firstname"] = self.firstname
        if self.lastname is not None:
            data["lastname"] = self.lastname
        if self.plan is not None:
            data["plan"] = self.plan
        for key, value in self.additional_properties.items():
            data.setdefault(key, value)
        return data
