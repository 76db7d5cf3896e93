from surveys.admin.cases import admin, desk  # noqa: F401  these register
