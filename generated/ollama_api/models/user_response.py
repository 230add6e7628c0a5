from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field


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
        """Decode a parsed JSON object; KeyError names a required field that is missing."""
        rest = dict(data)
        pop = rest.pop
        self = cls.__new__(cls)
        self.id = pop("id")
        self.email = pop("email")
        self.name = pop("name")
        if not rest:  # Most pieces of a stream hold no more than this.
            self.bio = None
            self.avatarurl = None
            self.firstname = None
            self.lastname = None
            self.plan = None
            self.additional_properties = rest
            return self
        self.bio = pop("bio", None)
        self.avatarurl = pop("avatarurl", None)
        self.firstname = pop("firstname", None)
        self.lastname = pop("lastname", None)
        self.plan = pop("plan", None)
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
