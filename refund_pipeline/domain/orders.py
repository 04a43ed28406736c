"""The order a refund belongs to, as far as posting needs it; nothing about the customer."""

from dataclasses import dataclass
from datetime import datetime

_HANDED_OVER_IN_STORE = "IN_STORE_HANDOVER"


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One line of the order; money stays text, it is kept for reference and never computed with."""

    product_id: str | None
    quantity: str | None
    pricebook_price: str | None
    item_discounts: str | None
    order_discounts: str | None
    tax: str | None
    shipping_service_level: str | None
    fulfillment_location_id: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A snapshot of one order."""

    order_id: str
    order_number: str
    """The external id of the order: the number finance and the ERP know."""
    placed_at: datetime | None
    store_id: str | None
    """NewStore's demand location: a store, or empty or a channel name for web orders."""
    currency: str
    channel: str | None
    channel_type: str | None
    items: tuple[OrderItem, ...]
    is_exchange: bool = False
    is_historical: bool = False

    @property
    def is_store_order(self) -> bool:
        """Whether the order was placed in a store."""
        return (self.channel_type or "").lower() == "store"

    @property
    def is_cash_and_carry(self) -> bool:
        """Whether all was handed over in the store; null counts as that (contract newstore 5.2)."""
        return (
            self.is_store_order
            and bool(self.items)
            and all(
                item.shipping_service_level in {None, _HANDED_OVER_IN_STORE} for item in self.items
            )
        )

    @property
    def has_in_store_part(self) -> bool:
        """Whether something of a store order was handed over in the store."""
        return self.is_store_order and (
            not self.items
            or any(
                item.shipping_service_level in {None, _HANDED_OVER_IN_STORE} for item in self.items
            )
        )
