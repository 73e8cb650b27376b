"""What the pages share: services, state, charts, the token view. No torch here and no page layout."""
