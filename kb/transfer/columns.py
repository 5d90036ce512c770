"""What a row says in an export, column by column, and back."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Enum, Float, Integer, String, Table, TypeDecorator
from sqlmodel import SQLModel

from kb.content import choice, storable
from kb.errors import InvalidInput, shown
from kb.models import UTCDateTime


def table_of(model: type[SQLModel]) -> Table:
    """Return the table that a model's rows are in."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def columns(model: type[SQLModel]) -> dict[str, Column[Any]]:
    """Return the columns of a model's table by name, in its order."""
    return {column.name: column for column in table_of(model).columns}


def written(row: SQLModel, without: frozenset[str]) -> dict[str, Any]:
    """Return the columns of a row but for `without`, as JSON can say them."""
    return {name: _plain(getattr(row, name)) for name in columns(type(row)) if name not in without}


def read(table: type[SQLModel], record: Mapping[str, Any], without: frozenset[str]) -> dict[str, Any]:
    """Return by name what a record says of the columns of a table but for `without`; what it does not name is left out.

    Raises InvalidInput for a value that the column cannot have.
    """
    return {
        name: _value(column, record[name])
        for name, column in columns(table).items()
        if name not in without and name in record
    }


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, bytes):
        raise TypeError("bytes have no JSON form")
    return value


def _value(column: Column[Any], value: Any) -> Any:
    if value is None:
        if not column.nullable:
            raise InvalidInput(f"{column.name} needs a value")
        return None
    kind = column.type
    if isinstance(kind, JSON):
        return value
    if isinstance(kind, UTCDateTime):
        moment = datetime.fromisoformat(str(value))
        if moment.tzinfo is None:
            raise InvalidInput(f"{column.name} needs a time zone: {shown(value)}")
        return moment
    if isinstance(kind, Enum) and kind.enum_class is not None and issubclass(kind.enum_class, StrEnum):
        return choice(kind.enum_class, value, column.name)
    plain = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    if isinstance(plain, String):
        if not isinstance(value, str):
            raise InvalidInput(f"{column.name} is text, not {shown(value)}")
        text = storable(value)
        if plain.length is not None and len(text) > plain.length:
            raise InvalidInput(f"{column.name} has at most {plain.length} characters, not {len(text)}")
        return text
    for cls, python in ((Boolean, bool), (Integer, int), (Float, float)):
        if isinstance(kind, cls):
            if not isinstance(value, (python, int)):
                raise InvalidInput(f"{column.name} cannot be {shown(value)}")
            return python(value)
    raise TypeError(f"{column.name} is of a type that no export has")
