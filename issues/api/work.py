"""Work products over HTTP: what came out of an issue."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from issues.api.issues import IssueEndpoint
from issues.api.work_forms import WorkProductChange, WorkProductForm
from issues.api.work_shapes import WorkProductShape
from issues.models import WorkProduct
from issues.outside import note_reading
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint
from paperclip.pages import Pages

PRODUCTS = Pages(("created_at", "id"))


class WorkProducts(IssueEndpoint):
    @doc(
        "list_work_products",
        "What came out of an issue and where it is",
        gives=WorkProductShape,
        pages=PRODUCTS,
    )
    def get(self, request: Request, **path: str) -> Response:
        return self.page(self.issue().work_products.all(), PRODUCTS, WorkProductShape)

    @doc(
        "create_work_product",
        "Name something that came out of an issue",
        takes=WorkProductForm,
        gives=WorkProductShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        issue, fields = self.issue(), self.read(WorkProductForm)
        product = WorkProduct.objects.add(issue, by=self.actor, **fields)
        return Response(WorkProductShape(product).data, status=201)


class OneWorkProduct(Endpoint):
    def product(self) -> WorkProduct:
        rows = WorkProduct.objects.select_related("issue", "project")
        product: WorkProduct = rows.get_for(self.actor, self.kwargs["product_id"])
        note_reading(self.actor, product.issue)
        return product

    @doc(
        "change_work_product",
        "Change what is said of a work product",
        takes=WorkProductChange,
        gives=WorkProductShape,
    )
    def patch(self, request: Request, **path: str) -> Response:
        product, fields = self.product(), self.read(WorkProductChange, partial=True)
        if fields:
            product.change(by=self.actor, **fields)
        return Response(WorkProductShape(product).data)

    @doc("delete_work_product", "Take a work product off the list", status=204)
    def delete(self, request: Request, **path: str) -> Response:
        self.product().remove(by=self.actor)
        return Response(status=204)
