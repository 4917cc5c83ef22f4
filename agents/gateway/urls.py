from django.urls import path

from agents.gateway import views

urlpatterns = [
    path("health", views.health),
    path("v1/models", views.models),
    path("v1/chat/completions", views.chat),
]
handler404 = views.missing
