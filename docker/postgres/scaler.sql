-- The role by which KEDA asks how long the oldest job has waited; after the migrations.
--   SCALER_PASSWORD=… psql --file docker/postgres/scaler.sql "$ADMIN_DATABASE_URL"
\set ON_ERROR_STOP on
\getenv scaler_password SCALER_PASSWORD

CREATE ROLE mainmask_scaler LOGIN PASSWORD :'scaler_password' CONNECTION LIMIT 5;
GRANT CONNECT ON DATABASE :"DBNAME" TO mainmask_scaler;
GRANT USAGE ON SCHEMA public TO mainmask_scaler;
GRANT SELECT (status, due_at) ON stages TO mainmask_scaler;
