"""The calls, by what they are about. Each reads its body, asks one service, and says what came of it."""
