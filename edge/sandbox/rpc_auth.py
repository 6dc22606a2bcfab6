"""Handlers: sign in by code, with a password or as a bot, and sign out."""

from edge.sandbox import render
from edge.sandbox.call import Call, Handler
from edge.sandbox.faults import Refusal
from edge.sandbox.password import Challenge, describe
from edge.sandbox.state import Account, normal_phone
from edge.sandbox.tl import TLObject, functions, types

SHORTEST_PHONE, LONGEST_PHONE = 5, 15


def send_code(call: Call, query: functions.auth.SendCode) -> TLObject:
    if not SHORTEST_PHONE <= len(normal_phone(query.phone_number)) <= LONGEST_PHONE:
        raise Refusal(400, "PHONE_NUMBER_INVALID")
    call.faults.raise_migration("PHONE")
    sent = call.state.send_code(query.phone_number)
    return types.auth.SentCode(type=types.auth.SentCodeTypeApp(length=len(sent.code)), phone_code_hash=sent.hash)


def sign_in(call: Call, query: functions.auth.SignIn) -> TLObject:
    _check_hash(call, query.phone_number, query.phone_code_hash)
    if query.phone_code != call.state.codes[normal_phone(query.phone_number)].code:
        raise Refusal(400, "PHONE_CODE_INVALID")
    account = call.state.by_phone(query.phone_number)
    if account is None:
        return types.auth.AuthorizationSignUpRequired()
    del call.state.codes[normal_phone(query.phone_number)]
    if account.password is not None:
        call.state.half_logins[call.auth_key_id] = account.id
        raise Refusal(401, "SESSION_PASSWORD_NEEDED")
    return _authorize(call, account)


def sign_up(call: Call, query: functions.auth.SignUp) -> TLObject:
    _check_hash(call, query.phone_number, query.phone_code_hash)
    if not query.first_name.strip():
        raise Refusal(400, "FIRSTNAME_INVALID")
    if call.state.by_phone(query.phone_number):
        raise Refusal(400, "PHONE_NUMBER_OCCUPIED")
    del call.state.codes[normal_phone(query.phone_number)]
    account = call.state.add_account(first_name=query.first_name, last_name=query.last_name, phone=query.phone_number)
    return _authorize(call, account)


def get_password(call: Call, _query: functions.account.GetPassword) -> TLObject:
    account = _half_signed_in(call) or call.me
    if account.password is None:
        return describe(None)
    challenge = call.state.challenges[call.auth_key_id] = Challenge(account.password)
    return describe(challenge)


def check_password(call: Call, query: functions.auth.CheckPassword) -> TLObject:
    account, challenge = _half_signed_in(call), call.state.challenges.pop(call.auth_key_id, None)
    proof = query.password
    if isinstance(proof, types.InputCheckPasswordEmpty):
        raise Refusal(400, "PASSWORD_HASH_INVALID")
    if account is None or challenge is None or proof.srp_id != challenge.id:
        raise Refusal(400, "SRP_ID_INVALID")
    if not challenge.proves(proof.A, proof.M1):
        raise Refusal(400, "PASSWORD_HASH_INVALID")
    del call.state.half_logins[call.auth_key_id]
    return _authorize(call, account)


def import_bot(call: Call, query: functions.auth.ImportBotAuthorization) -> TLObject:
    call.faults.raise_migration("USER")
    for account in call.state.accounts.values():
        if account.token is not None and account.token == query.bot_auth_token:
            return _authorize(call, account)
    raise Refusal(400, "ACCESS_TOKEN_INVALID")


def log_out(call: Call, _query: functions.auth.LogOut) -> TLObject:
    if call.user_id is None:
        raise Refusal(401, "AUTH_KEY_UNREGISTERED")
    del call.state.logins[call.auth_key_id]
    return types.auth.LoggedOut()


def _half_signed_in(call: Call) -> Account | None:
    """Return the account that has given the code but not the password yet."""
    return call.state.accounts.get(call.state.half_logins.get(call.auth_key_id, 0))


def _check_hash(call: Call, phone: str, phone_code_hash: str) -> None:
    sent = call.state.codes.get(normal_phone(phone))
    if sent is None or sent.hash != phone_code_hash:
        raise Refusal(400, "PHONE_CODE_EXPIRED")


def _authorize(call: Call, account: Account) -> TLObject:
    call.state.logins[call.auth_key_id] = account.id
    return types.auth.Authorization(user=render.user(call.state, account, account))


HANDLERS: dict[type[TLObject], Handler] = {
    functions.auth.SendCode: send_code,
    functions.auth.SignIn: sign_in,
    functions.auth.SignUp: sign_up,
    functions.account.GetPassword: get_password,
    functions.auth.CheckPassword: check_password,
    functions.auth.ImportBotAuthorization: import_bot,
    functions.auth.LogOut: log_out,
}
