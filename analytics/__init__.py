"""Why deals are won, lost or end in no decision."""
