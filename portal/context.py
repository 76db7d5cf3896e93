def programme(request):
    """The shop's name and settings for every page."""
    from members.queries import get_programme

    return {"programme": get_programme()}
