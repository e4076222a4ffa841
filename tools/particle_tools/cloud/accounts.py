"""Users and their tokens. Passwords are stored as scrypt, tokens as SHA-256 (rest-api 2)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from particle_tools.cloud.clock import Clock
from particle_tools.cloud.database import Database

TOKEN_S = 7_776_000  # 90 days, when the client asks for nothing else
REFRESH_S = 14 * 86_400
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


@dataclass(frozen=True)
class User:
    """One account."""

    id: int
    username: str
    account_info: dict


@dataclass(frozen=True)
class Token:
    """An access token as far as it is stored: its first characters, never the whole."""

    user: User
    hash: bytes
    client: str
    hint: str
    expires_at: float | None


def _stretch(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


class Accounts:
    """Store of users and tokens."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._watched: dict[Callable[[], None], Token] = {}

    def empty(self) -> bool:
        """Tell whether no user exists yet."""
        return self._db.one("SELECT 1 FROM users LIMIT 1") is None

    def first(self) -> User:
        """Return the oldest user; there must be one."""
        row = self._db.one("SELECT * FROM users ORDER BY id LIMIT 1")
        assert row is not None
        return _user(row)

    def find(self, username: str) -> User | None:
        """Return the user of that name, case ignored."""
        row = self._db.one("SELECT * FROM users WHERE username = ?", username)
        return _user(row) if row else None

    async def create(self, username: str, password: str) -> User:
        """Add a user. Raises ValueError if the name is taken."""
        salt = secrets.token_bytes(16)
        stretched = await asyncio.to_thread(_stretch, password, salt)
        try:
            await self._db.execute(
                "INSERT INTO users (username, salt, password, created_at) VALUES (?, ?, ?, ?)",
                username,
                salt,
                stretched,
                self._clock.time(),
            )
        except sqlite3.IntegrityError as error:
            raise ValueError("username is taken") from error
        user = self.find(username)
        assert user is not None
        return user

    async def set_password(self, user: User, password: str) -> None:
        """Replace a user's password."""
        salt = secrets.token_bytes(16)
        stretched = await asyncio.to_thread(_stretch, password, salt)
        await self._db.execute(
            "UPDATE users SET salt = ?, password = ? WHERE id = ?", salt, stretched, user.id
        )

    async def rename(self, user: User, username: str) -> None:
        """Change a user's name. Raises ValueError if it is taken."""
        try:
            await self._db.execute("UPDATE users SET username = ? WHERE id = ?", username, user.id)
        except sqlite3.IntegrityError as error:
            raise ValueError("username is taken") from error

    async def describe(self, user: User, account_info: dict) -> None:
        """Replace what a user says of himself."""
        await self._db.execute(
            "UPDATE users SET account_info = ? WHERE id = ?", json.dumps(account_info), user.id
        )

    async def delete(self, user: User) -> None:
        """Delete a user with tokens, products and ledgers; his devices have no owner then."""

        def job(db: sqlite3.Connection) -> None:
            db.execute("UPDATE devices SET name = NULL, notes = NULL WHERE owner = ?", (user.id,))
            db.execute("DELETE FROM users WHERE id = ?", (user.id,))

        await self._db.write(job)
        self._tell(lambda token: token.user.id == user.id)

    async def login(self, username: str, password: str) -> User | None:
        """Return the user if the password is right; takes as long for an unknown name."""
        row = self._db.one("SELECT * FROM users WHERE username = ?", username)
        salt = row["salt"] if row else bytes(16)
        stretched = await asyncio.to_thread(_stretch, password, salt)
        if row is None or not hmac.compare_digest(stretched, row["password"]):
            return None
        return _user(row)

    async def issue(self, user: User, client: str, expires_in: float | None) -> tuple[str, str]:
        """Make an access and a refresh token of 40 hex digits; `expires_in` None never ends."""
        now = self._clock.time()
        access, refresh = secrets.token_hex(20), secrets.token_hex(20)
        ends = None if expires_in is None else now + expires_in
        rows = [
            (_digest(access), "access", user.id, client, access[:8], now, ends),
            (_digest(refresh), "refresh", user.id, client, refresh[:8], now, now + REFRESH_S),
        ]

        def job(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM tokens WHERE user_id = ? AND expires_at <= ?", (user.id, now))
            db.executemany("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

        await self._db.write(job)
        return access, refresh

    def check(self, token: str, kind: str = "access") -> Token | None:
        """Return a token that is known and not expired."""
        row = self._db.one(
            "SELECT t.*, u.id, u.username, u.account_info FROM tokens t"
            " JOIN users u ON u.id = t.user_id WHERE t.hash = ? AND t.kind = ?",
            _digest(token),
            kind,
        )
        if row is None or (row["expires_at"] or float("inf")) <= self._clock.time():
            return None
        return _token(row)

    def tokens(self, user: User) -> list[Token]:
        """Return a user's access tokens that have not expired, oldest first."""
        rows = self._db.all(
            "SELECT t.*, u.id, u.username, u.account_info FROM tokens t"
            " JOIN users u ON u.id = t.user_id WHERE t.user_id = ? AND t.kind = 'access'"
            " AND (t.expires_at IS NULL OR t.expires_at > ?) ORDER BY t.created_at",
            user.id,
            self._clock.time(),
        )
        return [_token(row) for row in rows]

    async def revoke(self, token: str) -> bool:
        """Delete a token by its whole text; return False if there was none."""
        digest = _digest(token)
        found = await self._db.execute("DELETE FROM tokens WHERE hash = ?", digest) > 0
        self._tell(lambda watched: watched.hash == digest)
        return found

    async def revoke_all(self, user: User) -> None:
        """Delete every token of a user."""
        await self._db.execute("DELETE FROM tokens WHERE user_id = ?", user.id)
        self._tell(lambda token: token.user.id == user.id)

    def watch(self, token: Token, revoked: Callable[[], None]) -> None:
        """Have `revoked` called when the token is deleted; when it expires is known before."""
        self._watched[revoked] = token

    def unwatch(self, revoked: Callable[[], None]) -> None:
        """Stop that; one that is not there is ignored."""
        self._watched.pop(revoked, None)

    def _tell(self, gone: Callable[[Token], bool]) -> None:
        for revoked, token in list(self._watched.items()):
            if gone(token):
                revoked()


def _user(row: sqlite3.Row) -> User:
    return User(row["id"], row["username"], json.loads(row["account_info"]))


def _token(row: sqlite3.Row) -> Token:
    return Token(_user(row), row["hash"], row["client"], row["hint"], row["expires_at"])
