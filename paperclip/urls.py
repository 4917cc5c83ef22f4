from django.contrib import admin
from django.urls import include, path

from marketing.views.unsubscribe import probe, unsubscribe
from paperclip.api.views import NoRoute

# Outside of the views, too, the API answers in JSON.
handler400 = "paperclip.api.errors.bad_request"
handler500 = "paperclip.api.errors.server_error"

urlpatterns: list = [
    path("api", NoRoute.as_view()),
    path("api/", include("paperclip.api.urls")),
    # For people outside, who have no account here.
    path("u/probe/<str:nonce>", probe, name="unsubscribe_probe"),
    path("u/<str:token>", unsubscribe, name="unsubscribe"),
    # Last: what nothing above answers is the console's.
    path("", admin.site.urls),
]
