"""The tables and columns SuiteQL shows: exactly those of the SuiteQL contract, section 1.

Columns the sandbox never fills are there and stay null. Rows are made in `suiteql_index.py`.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from refund_pipeline.sandbox.netsuite.properties import Kind, RefundProperties


class Type(Enum):
    """The type of a column."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    TEXT = "text"
    DATE = "date"
    DATETIME = "datetime"


Columns = Mapping[str, Type]
Tables = Mapping[str, Columns]
_CUSTOM_TYPES = {
    Kind.NUMBER: Type.DECIMAL,
    Kind.INTEGER: Type.INTEGER,
    Kind.DATE: Type.DATE,
    Kind.REFERENCE: Type.INTEGER,
}

# Known, and refused by SuiteQL (1.1).
HIDDEN_COLUMNS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "transaction": frozenset(
            {"subsidiary", "location", "createdfrom", "class", "department", "account", "total"}
        ),
        "transactionline": frozenset({"account", "amount"}),
    }
)
PER_TYPE_TABLES = (
    *("cashrefund", "cashsale", "salesorder", "creditmemo", "customerrefund"),
    "depositapplication",
)
ONE_WORLD_TABLES = frozenset(
    {
        *("subsidiary", "itemsubsidiarymap", "locationsubsidiarymap", "accountsubsidiarymap"),
        *("customersubsidiaryrelationship", "entitysubsidiaryrelationship"),
    }
)
"""Unknown in an account with one subsidiary, and so is every column called subsidiary (7)."""

_STANDARD: Mapping[str, Mapping[Type, str]] = {
    "transaction": {
        Type.INTEGER: "id entity currency postingperiod customform createdby lastmodifiedby nexus"
        " paymentmethod paymentoption number",
        Type.TEXT: "type recordtype externalid tranid transactionnumber trandisplayname"
        " typebaseddocumentnumber memo otherrefnum status source email posting void voided"
        " memorized isreversal taxdetailsoverride",
        Type.DECIMAL: "foreigntotal taxtotal totalaftertaxes foreignamountunpaid exchangerate",
        Type.DATE: "trandate duedate closedate",
        Type.DATETIME: "createddate lastmodifieddate",
    },
    "transactionline": {
        Type.INTEGER: "id transaction linesequencenumber uniquekey item entity subsidiary location"
        " class department createdfrom expenseaccount price units taxcode paymentmethod",
        Type.DECIMAL: "quantity quantitybilled quantityshiprecv rate rateamount foreignamount"
        " netamount creditforeignamount debitforeignamount grossamt taxamount tax1amt ratepercent"
        " taxrate1",
        Type.TEXT: "mainline taxline iscogs donotdisplayline transactiondiscount assemblycomponent"
        " kitcomponent isclosed cleared iscustomglline memo itemtype accountinglinetype"
        " transactionlinetype",
        Type.DATETIME: "linecreateddate linelastmodifieddate",
    },
    "transactionaccountingline": {
        Type.INTEGER: "transaction transactionline accountingbook account",
        Type.TEXT: "accounttype posting",
        Type.DECIMAL: "debit credit amount netamount amountpaid amountunpaid amountlinked"
        " exchangerate",
        Type.DATETIME: "lastmodifieddate",
    },
    "nexttransactionlinelink": {
        Type.INTEGER: "previousdoc nextdoc previousline nextline",
        Type.TEXT: "linktype previoustype nexttype",
    },
    "nexttransactionlink": {Type.INTEGER: "previousdoc nextdoc", Type.TEXT: "linktype"},
    "previoustransactionlink": {Type.INTEGER: "previousdoc nextdoc", Type.TEXT: "linktype"},
    "paymentevent": {
        Type.INTEGER: "id doc",
        Type.TEXT: "paymentoperation handlingmode paymentstatus",
        Type.DECIMAL: "amount",
        Type.DATETIME: "eventdate",
    },
    "transactionstatus": {Type.TEXT: "id trantype fullname"},
    "item": {
        Type.INTEGER: "id incomeaccount expenseaccount class department location parent"
        " taxschedule salestaxcode",
        Type.TEXT: "itemid displayname fullname itemtype subtype isinactive istaxable externalid",
        Type.DATETIME: "lastmodifieddate",
    },
    "paymentitem": {
        Type.INTEGER: "id account paymentmethod class department location",
        Type.TEXT: "itemid displayname itemtype isinactive externalid",
    },
    "itemsubsidiarymap": {Type.INTEGER: "item subsidiary"},
    "location": {
        Type.INTEGER: "id parent mainaddress",
        Type.TEXT: "name fullname isinactive externalid locationtype timezone",
    },
    "locationsubsidiarymap": {Type.INTEGER: "location subsidiary"},
    "subsidiary": {
        Type.INTEGER: "id parent currency",
        Type.TEXT: "name fullname legalname country isinactive iselimination externalid",
        Type.DATETIME: "lastmodifieddate",
    },
    "currency": {
        Type.INTEGER: "id currencyprecision",
        Type.TEXT: "symbol name displaysymbol isbasecurrency isinactive externalid",
        Type.DECIMAL: "exchangerate",
    },
    "account": {
        Type.INTEGER: "id currency parent",
        Type.TEXT: "acctnumber accttype accountsearchdisplayname fullname isinactive issummary"
        " externalid",
    },
    "accountsubsidiarymap": {Type.INTEGER: "account subsidiary"},
    "accountingperiod": {
        Type.INTEGER: "id parent",
        Type.TEXT: "periodname closed arlocked aplocked alllocked allownonglchanges isposting"
        " isadjust isquarter isyear isinactive",
        Type.DATE: "startdate enddate",
    },
    "classification": {
        Type.INTEGER: "id parent",
        Type.TEXT: "name fullname isinactive includechildren externalid",
        Type.DATETIME: "lastmodifieddate",
    },
    "department": {
        Type.INTEGER: "id parent",
        Type.TEXT: "name fullname isinactive includechildren externalid",
        Type.DATETIME: "lastmodifieddate",
    },
    "paymentmethod": {
        Type.INTEGER: "id account",
        Type.TEXT: "name methodtype isinactive externalid",
    },
    "entitysubsidiaryrelationship": {
        Type.INTEGER: "id entity subsidiary primarycurrency",
        Type.TEXT: "isprimarysub name",
    },
    "customer": {
        Type.INTEGER: "id subsidiary currency receivablesaccount",
        Type.TEXT: "entityid companyname altname email isperson isinactive externalid taxable",
    },
    "customersubsidiaryrelationship": {
        Type.INTEGER: "id entity subsidiary primarycurrency",
        Type.TEXT: "isprimarysub name externalid",
        Type.DECIMAL: "balance depositbalance",
        Type.DATETIME: "lastmodifieddate",
    },
}


_PER_TYPE: Mapping[Type, str] = {
    Type.INTEGER: "id entity currency subsidiary location class department account createdfrom",
    Type.TEXT: "externalid memo",
    Type.DECIMAL: "total",
}


def _per_type(record: str) -> str:
    return f"""
        SELECT t.id, t.entity, t.currency, l.subsidiary, l.location, l.class, l.department,
            l.expenseaccount AS account, l.createdfrom, t.externalid, t.memo,
            t.foreigntotal AS total
        FROM "transaction" AS t
        JOIN transactionline AS l ON l."transaction" = t.id AND l.mainline = 'T'
        WHERE t.recordtype = '{record}'"""  # noqa: S608 - a name of the list above


VIEWS: Mapping[str, str] = MappingProxyType(
    {
        "nexttransactionlink": "SELECT previousdoc, nextdoc, linktype FROM nexttransactionlinelink",
        "previoustransactionlink": "SELECT * FROM nexttransactionlink",
        "entitysubsidiaryrelationship": "SELECT id, entity, subsidiary, primarycurrency, "
        "isprimarysub, name FROM customersubsidiaryrelationship",
        **{record: _per_type(record) for record in PER_TYPE_TABLES},
    }
)
"""Tables that show rows of other ones."""


def tables(schema: RefundProperties) -> Tables:
    """Return every table with its columns, the account's custom fields included.

    `location` is on the header too: whether a query sees it is `suiteql_catalogue.py`'s matter.
    """
    found = {
        table: {column: kind for kind, columns in groups.items() for column in columns.split()}
        for table, groups in {**_STANDARD, **dict.fromkeys(PER_TYPE_TABLES, _PER_TYPE)}.items()
    }
    found["transaction"]["location"] = Type.INTEGER
    for name, kind in schema.body_custom.items():
        found["transaction"][name] = _CUSTOM_TYPES.get(kind, Type.TEXT)
    for name, kind in schema.line_custom.items():
        found["transactionline"][name] = _CUSTOM_TYPES.get(kind, Type.TEXT)
    return found
