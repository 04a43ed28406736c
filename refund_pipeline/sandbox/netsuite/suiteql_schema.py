"""The tables and columns SuiteQL shows: exactly those of the SuiteQL contract, section 1.

Columns the sandbox never fills are there and stay null. Rows are made in `suiteql_index.py`.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from refund_pipeline.sandbox.netsuite.properties import RefundProperties


class Type(Enum):
    """The type of a column."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    TEXT = "text"
    DATE = "date"
    DATETIME = "datetime"


Columns = Mapping[str, Type]
Tables = Mapping[str, Columns]

# On the header in the catalogue or in people's memory, refused by SuiteQL (1.1).
HIDDEN_COLUMNS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "transaction": frozenset(
            {"subsidiary", "location", "createdfrom", "class", "department", "account", "total"}
        ),
        "transactionline": frozenset({"account", "amount"}),
    }
)

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
    "accountingperiod": {
        Type.INTEGER: "id parent",
        Type.TEXT: "periodname closed arlocked aplocked alllocked allownonglchanges isposting"
        " isadjust isquarter isyear isinactive",
        Type.DATE: "startdate enddate",
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


def tables(schema: RefundProperties) -> Tables:
    """Return every table with its columns, the account's custom fields included."""
    found = {
        table: {column: kind for kind, columns in groups.items() for column in columns.split()}
        for table, groups in _STANDARD.items()
    }
    found["transaction"].update(dict.fromkeys(schema.body_custom, Type.TEXT))
    found["transactionline"].update(dict.fromkeys(schema.line_custom, Type.TEXT))
    return found
