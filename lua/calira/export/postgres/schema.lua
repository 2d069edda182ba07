--- The tables and views of an export to PostgreSQL, as SQL. Each statement may be run again; `version` is kept in calira_schema, and a
-- database of a later version is refused. Tables are calira_…; what people and BI tools read are the views below them.

return { version = 1, sql = [==[

-- One row an export: what is exported, and the run of it that goes on or was the last.
CREATE TABLE IF NOT EXISTS calira_exports (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source      text NOT NULL UNIQUE,
  run         text,                               -- the name that workers gave it; NULL: none
  started_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz                         -- NULL: it goes on
);

-- The queue: one row a lab of an export. A worker holds a lab until leased_until, or until its session ends (an advisory lock of the
-- number `session` goes with it), whichever comes first.
CREATE TABLE IF NOT EXISTS calira_labs (
  export       bigint NOT NULL REFERENCES calira_exports ON DELETE CASCADE,
  lab_id       text NOT NULL,
  lab          text,
  state        text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
  worker       text,                              -- who holds it, or held it last
  session      bigint,
  leased_until timestamptz,
  walk         bigint,                            -- number of the reading under way or last; later readings have greater ones
  cursor       text,                              -- where the reading goes on; NULL: at the start
  attempts     integer NOT NULL DEFAULT 0,        -- how often it was taken in this run
  bookings     bigint,                            -- of the last complete reading: large labs go first
  gone         bigint,                            -- how many it marked as gone
  problem      text,                              -- why something may be missing, or why it failed
  code         integer NOT NULL DEFAULT 0,        -- exit status of this lab
  finished_at  timestamptz,
  PRIMARY KEY (export, lab_id)
);
CREATE INDEX IF NOT EXISTS calira_labs_open ON calira_labs (export) WHERE state IN ('waiting', 'running');
CREATE SEQUENCE IF NOT EXISTS calira_walks;

-- One row a booking. `raw` is the record as it came, details laid over; the other columns come out of it, NULL where they cannot be read.
CREATE TABLE IF NOT EXISTS calira_bookings (
  id text PRIMARY KEY, lab_id text, lab text, status text, booking_type text, start_time timestamptz, end_time timestamptz,
  equipment_id text, equipment text, user_id text, note text,
  cost numeric, currency text, charging_type text, duration numeric, requested_at timestamptz, provider_lab_id text, provider_lab text,
  requester_lab_id text, requester_lab text, requester_group text, projects text, funding_codes text,
  summary    text NOT NULL,                       -- digest of the record in the list
  details_of text,                                -- digest of the record whose details these are; NULL: none
  raw        jsonb NOT NULL,
  seen_in    bigint NOT NULL,                     -- the last reading that saw it
  written_at timestamptz NOT NULL DEFAULT now(),  -- when it was new or changed
  gone_at    timestamptz                          -- when a complete reading of its lab did not find it
);
CREATE INDEX IF NOT EXISTS calira_bookings_lab ON calira_bookings (lab_id, seen_in);
CREATE INDEX IF NOT EXISTS calira_bookings_start ON calira_bookings (start_time);

CREATE OR REPLACE VIEW bookings AS
  SELECT id, lab_id, lab, status, booking_type, start_time, end_time, equipment_id, equipment, user_id, note, cost, currency, charging_type,
    duration, requested_at, provider_lab_id, provider_lab, requester_lab_id, requester_lab, requester_group, projects, funding_codes, gone_at,
    written_at, raw
  FROM calira_bookings;

-- What was booked at least once.
CREATE OR REPLACE VIEW instruments AS
  SELECT DISTINCT ON (lab_id, equipment_id) equipment_id, equipment, lab_id, lab,
    count(*) OVER one AS bookings, min(start_time) OVER one AS first_start, max(start_time) OVER one AS last_start
  FROM calira_bookings WHERE gone_at IS NULL AND equipment_id IS NOT NULL
  WINDOW one AS (PARTITION BY lab_id, equipment_id)
  ORDER BY lab_id, equipment_id, start_time DESC NULLS LAST;

-- One row for each funding code of each project of a booking; a booking with several has its whole cost in each.
CREATE OR REPLACE VIEW funding AS
  SELECT b.id AS booking_id, b.lab_id, b.lab, b.status, b.start_time, b.cost, b.currency, p.value ->> 'id' AS project_id,
    p.value ->> 'name' AS project, p.value ->> 'supervisor' AS supervisor, c.value ->> 'code' AS code, c.value ->> 'funder' AS funder,
    CASE WHEN jsonb_typeof(c.value -> 'amount') = 'number' THEN (c.value ->> 'amount')::numeric END AS amount,
    c.value ->> 'currency' AS amount_currency
  FROM calira_bookings b
    CROSS JOIN LATERAL jsonb_array_elements(
      CASE WHEN jsonb_typeof(b.raw -> 'projects') = 'array' THEN b.raw -> 'projects' ELSE '[]' END) p
    LEFT JOIN LATERAL jsonb_array_elements(
      CASE WHEN jsonb_typeof(p.value -> 'funding_codes') = 'array' THEN p.value -> 'funding_codes' ELSE '[]' END) c ON true
  WHERE b.gone_at IS NULL;

-- Hours booked, a row an instrument, month (UTC) and currency; without declined and cancelled bookings. The cost is of bookings that start
-- in the month.
CREATE OR REPLACE VIEW utilisation AS
  SELECT m.month::date AS month, b.lab_id, b.lab, b.equipment_id, b.equipment, b.currency,
    count(*) FILTER (WHERE b.start_time >= m.month) AS bookings,
    round((sum(extract(epoch FROM least(b.end_time, m.month + interval '1 month') - greatest(b.start_time, m.month))) / 3600)::numeric, 4)
      AS hours,
    sum(b.cost) FILTER (WHERE b.start_time >= m.month) AS cost
  FROM calira_bookings b
    CROSS JOIN LATERAL (SELECT g AT TIME ZONE 'UTC' AS month FROM generate_series(
      date_trunc('month', b.start_time AT TIME ZONE 'UTC'),
      least(b.end_time, b.start_time + interval '10 years') AT TIME ZONE 'UTC', interval '1 month') g) m
  WHERE b.gone_at IS NULL AND b.end_time > b.start_time AND b.end_time > m.month
    AND lower(coalesce(b.status, '')) NOT IN ('declined', 'cancelled', 'canceled')
  GROUP BY m.month, b.lab_id, b.lab, b.equipment_id, b.equipment, b.currency;
]==] }
