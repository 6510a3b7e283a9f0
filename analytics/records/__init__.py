"""Records: what the CRM recorded and when (History), and what was known of each deal at the end of a day (Deals).

contract     what History, Deals and the side tables look like
errors       sentences for people who can fix their input
calendar     fiscal quarters
rules        what counts as no decision
definitions  everything else that decides who is studied: scope, currency, observation, qualification, attributes
engine       a database connection from a URL
sources/     one file per CRM or file format; each returns a History
rejects      the rows that a source could not use
snapshot     `deals_as_of`, made of these steps, in this order:
             states       what was recorded, and when; deals under a number
             spells       what each row says of its deal so far: the same on every as-of day, so kept where it can be
             firing       the day on which an inferred no-decision could first have been known: kept too
             episodes     one row per deal and stretch of life, as known at the end of the as-of day
             values       outcome, dates, amounts, attributes
             teams        the team of the owner then
             leaving_out  the rules by which a deal is not studied
attrition    where every row and deal went
delays       how late closings were recorded
scope        stops a study that does not say which deals it is about
period       the view of somebody who watched only between two days
observation  whether deals that ended early are absent, and deals that enter late
trusted      from which day on each field and side table is recorded
             (lives lays states out in pandas, late_start tells a beginning from its pace)
abilities    which questions the records can answer (needs lists what each of them needs)

Everything up to Deals is an ibis expression and stays in the engine.
"""
