"""SQL that the first migration installs. Described in docs/members.md."""

# The original quasigroup of H. M. Damm (2004), as python-stdnum has it, row by row.
DAMM = (
    "0317598642" "7092154863" "4206871359" "1750983426" "6123045978"
    "3674209581" "5869720134" "8945362017" "9438617205" "2581436790"
)

INSTALL = f"""
CREATE SEQUENCE members_card_seq MINVALUE 1 MAXVALUE 9999999999;

CREATE FUNCTION members_damm_digit(digits text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    step int := 0;
BEGIN
    FOR i IN 1 .. length(digits) LOOP
        step := substr('{DAMM}', step * 10 + substr(digits, i, 1)::int + 1, 1)::int;
    END LOOP;
    RETURN step::text;
END $$;

-- '8', ten digits, the check digit. The multiplier shares no factor with 10^10, so each number of the sequence has
-- its own place, and neighbours are far apart: a card number does not tell its neighbours'.
CREATE FUNCTION members_next_card_number() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    digits text := '8' || lpad(((nextval('members_card_seq') * 618033989) % 10000000000)::text, 10, '0');
BEGIN
    RETURN digits || members_damm_digit(digits);
END $$;
"""

REMOVE = """
DROP FUNCTION members_next_card_number();
DROP FUNCTION members_damm_digit(text);
DROP SEQUENCE members_card_seq;
"""
