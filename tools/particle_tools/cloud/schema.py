"""The tables of the cloud as numbered migrations; PRAGMA user_version counts those applied."""

# Append only: a released migration is never edited.
MIGRATIONS = [
    """
    CREATE TABLE users (
        id INTEGER PRIMARY KEY,
        username TEXT NOT NULL UNIQUE COLLATE NOCASE,
        salt BLOB NOT NULL,
        password BLOB NOT NULL,
        account_info TEXT NOT NULL DEFAULT '{}',
        created_at REAL NOT NULL
    );
    CREATE TABLE tokens (
        hash BLOB PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('access', 'refresh')),
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        client TEXT NOT NULL,
        hint TEXT NOT NULL,
        created_at REAL NOT NULL,
        expires_at REAL
    ) WITHOUT ROWID;
    CREATE INDEX tokens_user ON tokens (user_id);
    CREATE TABLE devices (
        id TEXT PRIMARY KEY,
        owner INTEGER REFERENCES users (id) ON DELETE SET NULL,
        name TEXT,
        notes TEXT,
        product_id INTEGER,
        product_version INTEGER,
        platform_id INTEGER,
        system_version INTEGER,
        last_ip TEXT,
        last_heard REAL,
        last_handshake REAL,
        created_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX devices_owner ON devices (owner);
    CREATE TABLE device_keys (
        device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
        algorithm TEXT NOT NULL CHECK (algorithm IN ('rsa', 'ec')),
        spki BLOB NOT NULL,
        registered_at REAL NOT NULL,
        PRIMARY KEY (device_id, algorithm)
    ) WITHOUT ROWID;
    CREATE TABLE describes (
        device_id TEXT PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
        functions TEXT,
        variables TEXT,
        system BLOB,
        system_format INTEGER,
        updated_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE claim_codes (
        code TEXT PRIMARY KEY,
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        created_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE usage (
        device_id TEXT NOT NULL,
        period TEXT NOT NULL,
        counters TEXT NOT NULL,
        PRIMARY KEY (device_id, period)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE udp_sessions (
        device_id TEXT PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
        cid BLOB UNIQUE,
        peer_cid BLOB NOT NULL,
        standard INTEGER NOT NULL,
        key_block BLOB NOT NULL,
        hello BLOB NOT NULL,
        subscriptions TEXT NOT NULL,
        address TEXT NOT NULL,
        read_top INTEGER NOT NULL,
        read_bits BLOB NOT NULL,
        write_limit INTEGER NOT NULL,
        mid_limit INTEGER NOT NULL,
        heard_at REAL NOT NULL,
        keep_alive REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE persisted_events (
        id INTEGER PRIMARY KEY,
        device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        data BLOB NOT NULL,
        content_format INTEGER NOT NULL,
        published_at REAL NOT NULL,
        UNIQUE (device_id, number)
    );
    CREATE INDEX persisted_events_device ON persisted_events (device_id, id);
    """,
    """
    ALTER TABLE udp_sessions ADD COLUMN online INTEGER NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE udp_sessions ADD COLUMN done BLOB NOT NULL DEFAULT x'';
    """,
    """
    CREATE TABLE account_usage (
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        period TEXT NOT NULL,
        ops_out INTEGER NOT NULL,
        ops_in INTEGER NOT NULL,
        cellular_bytes INTEGER NOT NULL,
        full_at REAL,
        paused INTEGER NOT NULL,
        warned TEXT NOT NULL,
        PRIMARY KEY (user_id, period)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE webhooks (
        id TEXT PRIMARY KEY,
        owner INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        product INTEGER,
        fields TEXT NOT NULL,
        created_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX webhooks_owner ON webhooks (owner);
    """,
    """
    ALTER TABLE devices ADD COLUMN serial_number TEXT;
    ALTER TABLE devices ADD COLUMN mobile_secret TEXT;
    ALTER TABLE devices ADD COLUMN updates_enabled INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE devices ADD COLUMN updates_forced INTEGER NOT NULL DEFAULT 0;
    CREATE UNIQUE INDEX devices_serial ON devices (serial_number)
        WHERE serial_number IS NOT NULL;
    CREATE TABLE transfers (
        id INTEGER PRIMARY KEY,
        device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        requested_at REAL NOT NULL,
        UNIQUE (device_id, user_id)
    );
    CREATE TABLE updates (
        id INTEGER PRIMARY KEY,
        device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
        state TEXT NOT NULL
            CHECK (state IN ('waiting', 'started', 'success', 'failed', 'replaced', 'canceled')),
        queued_at REAL NOT NULL,
        ended_at REAL,
        error TEXT
    );
    CREATE INDEX updates_device ON updates (device_id, id);
    CREATE TABLE update_files (
        update_id INTEGER NOT NULL REFERENCES updates (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('module', 'asset')),
        size INTEGER NOT NULL,
        sha256 BLOB NOT NULL,
        data BLOB,
        PRIMARY KEY (update_id, position)
    );
    CREATE TABLE diagnostics (
        id INTEGER PRIMARY KEY,
        device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
        taken_at REAL NOT NULL,
        payload TEXT NOT NULL
    );
    CREATE INDEX diagnostics_device ON diagnostics (device_id, taken_at);
    CREATE TABLE products (
        id INTEGER PRIMARY KEY,
        owner INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        slug TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        description TEXT NOT NULL,
        platform_id INTEGER NOT NULL,
        created_at REAL NOT NULL
    );
    CREATE TABLE product_devices (
        device_id TEXT PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
        product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
        groups TEXT NOT NULL DEFAULT '[]',
        desired_version INTEGER,
        development INTEGER NOT NULL DEFAULT 0,
        quarantined INTEGER NOT NULL DEFAULT 0,
        denied INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE INDEX product_devices_product ON product_devices (product_id);
    CREATE TABLE ledgers (
        id INTEGER PRIMARY KEY,
        owner INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        scope TEXT NOT NULL,
        direction TEXT,
        description TEXT NOT NULL,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        archived_at REAL,
        UNIQUE (owner, name)
    );
    CREATE TABLE ledger_versions (
        id INTEGER PRIMARY KEY,
        ledger_id INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
        scope_value TEXT NOT NULL,
        data TEXT,
        size INTEGER NOT NULL,
        created_at REAL NOT NULL,
        replaced_at REAL
    );
    CREATE INDEX ledger_versions_instance ON ledger_versions (ledger_id, scope_value, id);
    """,
    """
    ALTER TABLE devices ADD COLUMN safe_mode INTEGER NOT NULL DEFAULT 0;
    """,
    """
    CREATE TRIGGER webhooks_of_product AFTER DELETE ON products
        BEGIN DELETE FROM webhooks WHERE product = OLD.id; END;
    """,
    """
    ALTER TABLE updates ADD COLUMN phase TEXT NOT NULL DEFAULT 'sending';
    ALTER TABLE updates ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE updates ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE updates ADD COLUMN stored INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE updates ADD COLUMN changed_at REAL NOT NULL DEFAULT 0;
    """,
    """
    CREATE TABLE firmwares (
        id INTEGER PRIMARY KEY,
        product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        title TEXT NOT NULL,
        description TEXT NOT NULL,
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        uploaded_at REAL NOT NULL,
        UNIQUE (product_id, version)
    );
    CREATE TABLE firmware_files (
        firmware_id INTEGER NOT NULL REFERENCES firmwares (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (firmware_id, position)
    );
    CREATE TABLE releases (
        product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
        group_name TEXT NOT NULL,
        firmware_id INTEGER NOT NULL REFERENCES firmwares (id) ON DELETE CASCADE,
        percentage INTEGER NOT NULL,
        paused INTEGER NOT NULL,
        released_at REAL NOT NULL,
        PRIMARY KEY (product_id, group_name)
    ) WITHOUT ROWID;
    ALTER TABLE product_devices ADD COLUMN locked_at REAL NOT NULL DEFAULT 0;
    ALTER TABLE updates ADD COLUMN firmware_id INTEGER;
    """,
]
