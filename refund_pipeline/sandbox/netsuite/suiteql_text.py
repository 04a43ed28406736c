"""The first look at a SuiteQL text: forbidden characters, functions and words; `?` gets a name.

What passes goes to the grammar (`suiteql_compiler.py`), which refuses everything it does not know.
"""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

_FUNCTIONS = frozenset(
    (
        *("NVL", "COALESCE", "NULLIF", "TO_CHAR", "TO_DATE", "TO_NUMBER", "TRUNC", "SUBSTR"),
        *("LENGTH", "UPPER", "LOWER", "ABS", "ROUND", "COUNT", "SUM", "MIN", "MAX"),
        *("DECODE", "ADD_MONTHS"),
    )
)
_BEFORE_PARENTHESIS = frozenset(
    (
        *("IN", "AND", "OR", "NOT", "ON", "WHERE", "HAVING", "CASE", "WHEN", "THEN", "ELSE"),
        *("SELECT", "BY", "DISTINCT", "BETWEEN", "LIKE"),
    )
)
_FORBIDDEN = frozenset(
    {
        TokenType.SEMICOLON,
        TokenType.STAR,
        TokenType.LIMIT,
        TokenType.OFFSET,
        TokenType.WITH,
        TokenType.COLON,
        TokenType.PARAMETER,
        TokenType.L_BRACKET,
        TokenType.R_BRACKET,
        TokenType.L_BRACE,
        TokenType.HINT,
        TokenType.UNION,
        TokenType.IDENTIFIER,
        TokenType.BACKSLASH,
    }
)


class SuiteQlRefusedError(Exception):
    """A query is refused; the text is what NetSuite's fixed introduction is followed by."""


class SuiteQlFailedError(Exception):
    """A query ends in a 500 that says nothing, which a wrong column can do (section 5.1)."""


def unsupported(what: str) -> SuiteQlRefusedError:
    """Return the refusal for a shape NetSuite, or this sandbox, does not take."""
    return SuiteQlRefusedError(
        f"Search error occurred: Invalid or unsupported search. (sandbox: {what})"
    )


def parse(text: str, parameter_count: int) -> exp.Select:
    """Return the syntax tree of one SELECT; parameters are named p0, p1, ... as the text has them.

    Raises:
        SuiteQlRefusedError: for a wrong number of parameters, or text outside section 5's dialect.
    """
    try:
        tokens = sqlglot.Dialect.get_or_raise("oracle").tokenize(text)
    except SqlglotError as error:
        raise _syntax_error(text) from error
    _check(text, tokens)
    named, used = _name_parameters(text, tokens)
    if used != parameter_count:
        raise SuiteQlRefusedError(
            f"Search error occurred: The query has {used} parameter(s), {parameter_count} given."
        )
    try:
        tree = sqlglot.parse_one(named, read="oracle")
    except (SqlglotError, RecursionError) as error:
        raise _syntax_error(text) from error
    if not isinstance(tree, exp.Select):
        raise _syntax_error(text)
    return tree


def _check(text: str, tokens: list[Token]) -> None:
    if _outside_literals_has_comment(text, tokens):
        raise unsupported("a comment")
    for position, token in enumerate(tokens):
        if token.token_type in _FORBIDDEN:
            raise unsupported(f"'{token.text}'")
        following = tokens[position + 1] if position + 1 < len(tokens) else None
        if following is None or following.token_type is not TokenType.L_PAREN:
            continue
        word = token.text.upper()
        if word[:1].isalpha() and word not in _FUNCTIONS | _BEFORE_PARENTHESIS:
            raise unsupported(f"function {word}")


def _outside_literals_has_comment(text: str, tokens: list[Token]) -> bool:
    if any(token.comments for token in tokens):
        return True
    end = 0
    for token in tokens:
        if text[end : token.start].strip():
            return True
        end = token.end + 1
    return bool(text[end:].strip())


def _name_parameters(text: str, tokens: list[Token]) -> tuple[str, int]:
    pieces: list[str] = []
    end = used = 0
    for token in tokens:
        if token.token_type is TokenType.PLACEHOLDER:
            pieces += [text[end : token.start], f":p{used}"]
            end = token.end + 1
            used += 1
    return "".join([*pieces, text[end:]]), used


def _syntax_error(text: str) -> SuiteQlRefusedError:
    return SuiteQlRefusedError(f"Search error occurred: Failed to parse SQL [{text}] near line 1.")
