"""NetSuite's messages in other languages, so that a client that reads texts fails (point 44).

Only texts change: codes, paths and statuses are the same in every language.
"""

import re
from dataclasses import dataclass, replace

from refund_pipeline.sandbox.netsuite.exchange import ErrorDetail, Refusal
from refund_pipeline.sandbox.netsuite.preferences import Language


@dataclass(frozen=True, slots=True)
class _Phrase:
    english: str
    german: str
    italian: str


_PHRASES = (
    _Phrase(
        r"Error while accessing a resource\.",
        "Fehler beim Zugriff auf eine Ressource.",
        "Errore durante l'accesso a una risorsa.",
    ),
    _Phrase(
        r"Please enter value\(s\) for: (.+)\.",
        r"Bitte geben Sie Werte ein für: \1.",
        r"Inserisci valori per: \1.",
    ),
    _Phrase(
        r"This record already exists\.",
        "Dieser Datensatz existiert bereits.",
        "Questo record esiste già.",
    ),
    _Phrase(
        r"Invalid (\w+) reference key (\w+) for subsidiary (\w+)",
        r"Ungültiger Referenzschlüssel \2 für \1 der Niederlassung \3",
        r"Chiave di riferimento \2 non valida per \1 della società \3",
    ),
    _Phrase(
        r"Invalid (\w+) reference key (\w+)",
        r"Ungültiger Referenzschlüssel \2 für \1",
        r"Chiave di riferimento \2 non valida per \1",
    ),
    _Phrase(
        r"Invalid field value (\S+) for field (\S+)\.",
        r"Ungültiger Wert \1 für das Feld \2.",
        r"Valore \1 non valido per il campo \2.",
    ),
    _Phrase(
        r"The total cannot be negative\.",
        "Die Summe darf nicht negativ sein.",
        "Il totale non può essere negativo.",
    ),
    _Phrase(
        r"This transaction has a G/L impact in a closed period: ([^.]+)\.",
        r"Diese Transaktion wirkt auf das Hauptbuch einer abgeschlossenen Periode: \1.",
        r"Questa transazione incide sul mastro in un periodo chiuso: \1.",
    ),
    _Phrase(
        r"Transaction type specified is incorrect\.",
        "Der angegebene Transaktionstyp ist falsch.",
        "Il tipo di transazione specificato non è corretto.",
    ),
    _Phrase(
        r"The record instance does not exist\.",
        "Die Datensatzinstanz existiert nicht.",
        "L'istanza del record non esiste.",
    ),
    _Phrase(
        r"Invalid login attempt\.",
        "Ungültiger Anmeldeversuch.",
        "Tentativo di accesso non valido.",
    ),
)


def translated(refusal: Refusal, language: Language) -> Refusal:
    """Return the refusal with its known phrases in this language."""
    details = [replace(detail, detail=_translate(detail, language)) for detail in refusal.details]
    return Refusal(refusal.status, details, refusal.headers)


def _translate(detail: ErrorDetail, language: Language) -> str:
    text = detail.detail
    for phrase in _PHRASES:
        match language:
            case Language.ENGLISH:
                return text
            case Language.GERMAN:
                text = re.sub(phrase.english, phrase.german, text)
            case Language.ITALIAN:
                text = re.sub(phrase.english, phrase.italian, text)
    return text
