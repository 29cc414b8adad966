namespace Pawl.Postgres;

/// <summary>Every statement of the store, for one schema.</summary>
sealed class PostgresSql(string schema)
{
    readonly string _runs = $"\"{schema}\".core_workflow_runs";
    readonly string _journal = $"\"{schema}\".core_workflow_journal";
    readonly string _payloads = $"\"{schema}\".core_workflow_payloads";
    readonly string _messages = $"\"{schema}\".core_workflow_messages";

    // One moment for all parts of a statement, whatever order they are executed in; and an index can be asked with it.
    const string Now = "statement_timestamp()";
    // An expired lease is nobody's for whoever asks; for its holder it is good until another takes the run.
    const string Live = $"r.held and r.lease_until > {Now}";
    const string Owner = $"case when {Live} then r.owner::text end";
    // What a step changes stands in columns, the rest of the head as JSON; behind a running run's row may stand steps that left it as it was.
    const string Head = "r.head::text, r.seq, r.hash, r.updated, r.done, r.recoveries";

    /// <summary>Where this schema's news are told: a run that has a message, or nothing when there may be runs to take.</summary>
    public string Channel { get; } = $"pawl_{schema}";

    // $1 run, $2 workflow, $3 version, $4 status, $5 seq, $6 hash, $7 created, $8 queue, $9 priority, $10 due, $11 portable, $12 labels, $13 head, $14 owner, $15 lease time, $16 updated, $17 line, $18 partition
    public string Create => $"""
        with run as (
            insert into {_runs} (run_id, workflow, version, status, seq, hash, updated, done, recoveries, created_at, queue, priority, due_at, portable, labels, head, token, held, owner, lease_until, part)
            values ($1, $2, $3, $4, $5, $6, $16, 0, 0, $7, $8, $9, case when $8 is null then null when $10 <= {Now} then '-infinity' else $10 end, $11, $12, $13::json,
                case when $14::json is null then 0 else 1 end, $14::json is not null, $14::json, case when $14::json is not null then {Now} + $15 end, $18)
            on conflict do nothing returning run, token),
        record as (insert into {_journal} (run, seq, line) select run, $5, $17 from run)
        select token, case when $8 is not null and token = 0 then pg_notify('{Channel}', '') end from run
        """;

    /// <summary>Names this schema in this database on this server, for as long as the server runs.</summary>
    public string Place => $"select concat_ws('/', extract(epoch from pg_postmaster_start_time()), oid, to_regclass('{_runs}')::oid) from pg_database where datname = current_database()";

    // $1 run, $2 owner, $3 lease time. No row: no such run. No token: the owner has it, or, when none is seen, somebody took it at this moment.
    public string Claim => $"""
        with run as (
            update {_runs} r set token = r.token + 1, held = true, owner = $2::json, lease_until = {Now} + $3
            where r.run_id = $1 and not ({Live}) returning r.token)
        select (select token from run), {Owner} from {_runs} r where r.run_id = $1
        """;

    // $1 realm: who of this machine holds runs.
    public string Holders => $"select distinct r.owner::text from {_runs} r where r.held and r.owner ->> 'realm' = $1 and r.lease_until > {Now}";

    // $1 owners that are dead for certain: what they hold is free from here on.
    public string Bury => $"update {_runs} r set lease_until = '-infinity' where r.held and r.owner::text = any($1)";

    // $1 runs, $2 tokens, $3 lease time. Locked in the order in which commits lock.
    public string Renew => $"""
        with mine as (
            select r.run_id from unnest($1, $2) lease (run_id, token) join {_runs} r on r.run_id = lease.run_id and r.token = lease.token
            where r.held order by r.run_id for update of r)
        update {_runs} r set lease_until = {Now} + $3 from mine where r.run_id = mine.run_id returning r.run_id, r.token
        """;

    // A run with a lease, in words that no index but the key's answers to: the plan is made once, for every load.
    const string Leased = "r.lease_until is not null";

    // What is checked of a step: the token on the row, which is locked, so that no claim is beside it. The record before it is known to be there, and stays; a second one with its number is
    // refused by the journal's key. Deaths in a row stand in the row: a step that ends them is not for these two.
    /// <summary>Writes a step's record whose run has this token, and leaves the run's row as it is.</summary>
    // $1 run, $2 token, $3 seq, $4 done, $5 recoveries, $6 line
    public string OneStep => $"""
        insert into {_journal} (run, seq, done, line)
        select r.run, $3, $4, $6 from {_runs} r where r.run = $1 and r.token = $2 and r.recoveries = $5 and {Leased} for no key update of r
        """;

    /// <summary>Writes those of many such records, each by itself; answers of which runs.</summary>
    public string Steps => $"""
        insert into {_journal} (run, seq, done, line)
        select r.run, c.seq, c.done, c.line from unnest($1, $2, $3, $4, $5, $6) c (run, token, seq, done, recoveries, line)
        join {_runs} r on r.run = c.run and r.token = c.token and r.recoveries = c.recoveries and {Leased} for no key update of r
        returning run
        """;

    // The number of the run's last record.
    string Last => $"(select j.seq from {_journal} j where j.run = r.run order by j.seq desc limit 1)";

    /// <summary>Writes commits of any kind whose token is the run's and which follow its last record, each by itself; answers which, from 1, and its run. A commit without records changes the lease alone.</summary>
    public string Commit => $"""
        with run as (
            update {_runs} r set
                seq = coalesce(c.last, r.seq), hash = coalesce(c.hash, r.hash), updated = coalesce(c.updated, r.updated), done = coalesce(c.done, r.done),
                recoveries = coalesce(c.recoveries, r.recoveries), status = coalesce(c.status, r.status), head = coalesce(c.head::json, r.head),
                version = coalesce((c.head::json ->> 'version')::int, r.version),
                began_at = coalesce(r.began_at, case when c.began_at < {Now} then c.began_at when c.began_at is not null then {Now} end), seen = case when c.last is null then r.seen else c.seen end,
                due_at = case when c.last is null then r.due_at when r.queue is null then null when r.messages > c.seen or c.due_at <= {Now} then '-infinity' else c.due_at end,
                held = not c.release, owner = case when not c.release then r.owner end, lease_until = case when not c.release then r.lease_until end
            from (select *, lag(records, 1, 0) over (order by n) as records_before, lag(payloads, 1, 0) over (order by n) as payloads_before
                from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) with ordinality
                    a (run_id, token, first, last, hash, updated, done, recoveries, status, head, due_at, began_at, seen, release, records, payloads, n)) c
            where r.run_id = c.run_id and r.token = c.token and {Leased} and (c.first is null or c.first - 1 = {Last})
            returning c.n, r.run, r.run_id, c.records_before, c.records, c.payloads_before, c.payloads, c.release and r.status = 'waiting' and r.due_at = '-infinity' as awake),
        record as (
            insert into {_journal} (run, seq, line)
            select run, seq, line from run, unnest(($17)[records_before + 1:records], ($18)[records_before + 1:records]) record (seq, line)),
        payload as (
            insert into {_payloads} (run_id, sha256, content)
            select run_id, sha256, content from run, unnest(($19)[payloads_before + 1:payloads], ($20)[payloads_before + 1:payloads]) payload (sha256, content) on conflict do nothing)
        select n, run, case when awake then pg_notify('{Channel}', '') end from run
        """;

    // $1 runs
    public string Look => $"select r.run_id, r.token, r.held, j.seq, j.line from {_runs} r join {_journal} j on j.run = r.run and j.seq = {Last} where r.run_id = any($1)";

    // $1 queue
    public const string Line = "select pg_advisory_xact_lock(hashtextextended($1, 0))";

    /// <summary>Whose time has come goes into the line: a few at a time, so that a night's backlog holds nobody up.</summary>
    public string Wake => $"""
        update {_runs} set due_at = '-infinity' where run_id in (
            select run_id from {_runs} where due_at > '-infinity' and due_at <= {Now} order by due_at limit 1000 for update skip locked)
        """;

    // $1 queue, $2 places, $3 owner, $4 lease time, $5 portable, $6 workflows, $7 versions, $8 concurrency, $9 rate, $10 window, $11 fair by
    const string CanExecute = "($5 and r.portable or (r.workflow, r.version) in (select * from unnest($6, $7)))";

    // $2 bounds what free bounds too: it is a number when the plan is made, and the plan knows then that few rows come.
    /// <summary>The choice of <c>WorkChoice</c>, claimed. The line's index gives each status in order; what others are taking at this moment is passed over.</summary>
    public string Take => Taking($"""
        select line.*, 0::bigint as turn from {Statuses}, room, lateral (
            select r.run_id, r.status, r.priority, r.created_at from {_runs} r
            where r.queue = $1 and r.status = s.status and {InLine} and {CanExecute}
            order by r.priority desc, r.created_at, r.run_id
            limit case when s.status = 'pending' then least(room.free, room.starts) else room.free end for update skip locked) line
        union all
        select orphan.*, 0 from room, lateral (
            select r.run_id, r.status, r.priority, r.created_at from {_runs} r
            where r.queue = $1 and r.held and r.lease_until <= {Now} and r.due_at = '-infinity' and {CanExecute}
            order by r.priority desc, r.created_at, r.run_id limit room.free for update skip locked) orphan
        """);

    /// <summary>The same with turns: the n-th run of a partition's value, those that execute counted, comes behind the (n-1)-th of every other. What is read follows the number
    /// of partitions, not of runs: of each the first few, of the statuses that are in line at all; and of more partitions than <see cref="Partitions"/> those in front of the line, and as many that follow
    /// the one whose run began last, round and round, so that none is left out for long.</summary>
    public string TakeInTurns => Taking($"""
        with present as materialized (select s.status from {Statuses} where exists (select from {_runs} r where r.queue = $1 and r.status = s.status and {InLine}))
        select one.run_id, one.status, one.priority, one.created_at,
            row_number() over (partition by one.value order by one.priority desc, one.created_at, one.run_id) + coalesce(busy.runs, 0) as turn
        from (
            select line.*, {Value("part.part")} as value from (
                with recursive part as (
                    select {NextPart($"(select r.part from {_runs} r where r.queue = $1 and r.began_at is not null order by r.began_at desc limit 1)")} as part
                    union
                    select {NextPart("part.part")} from part where part.part is not null)
                (select part from part where part is not null limit {Partitions})
                union
                select front.part from present s, lateral (
                    select r.part from {_runs} r where r.queue = $1 and r.status = s.status and {InLine} and {CanExecute} order by r.priority desc, r.created_at, r.run_id limit $2) front) part,
                present s, lateral (
                    select r.run_id, r.status, r.priority, r.created_at from {_runs} r
                    where r.queue = $1 and r.part = part.part and r.status = s.status and {InLine} and {CanExecute}
                    order by r.priority desc, r.created_at, r.run_id limit $2) line
            union all
            select r.run_id, r.status, r.priority, r.created_at, {Value("r.part")} from {_runs} r
            where r.queue = $1 and r.held and r.lease_until <= {Now} and r.due_at = '-infinity' and {CanExecute}) one
        left join (select {Value("r.part")} as value, count(*) as runs from {_runs} r where r.queue = $1 and {Live} group by 1) busy using (value)
        """);

    const int Partitions = 250;
    const string InLine = "r.due_at = '-infinity' and not r.held";
    const string Statuses = "unnest(array['pending', 'running', 'waiting', 'failed']) s (status)";

    /// <summary>The next partition that has something in line; behind the last one comes the first. One look into the index of turns.</summary>
    string NextPart(string behind)
    {
        var first = $"select r.part from {_runs} r where r.queue = $1 and {InLine}";
        return $"coalesce(({first} and r.part > {behind} order by r.part limit 1), ({first} order by r.part limit 1))";
    }

    static string Value(string part) => $"coalesce({part}::json ->> $11, '')";

    string Taking(string candidates) => $"""
        with room as (select
            greatest(0, case when $8::int is null then $2 else least($2, $8 - (select count(*) from {_runs} r where r.queue = $1 and {Live})) end) as free,
            greatest(0, case when $9::int is null then $2 else $9
                - (select count(*) from {_runs} r where r.queue = $1 and r.began_at > {Now} - $10)
                - (select count(*) from {_runs} r where r.queue = $1 and r.began_at is null and {Live}) end) as starts),
        candidate as ({candidates}),
        chosen as (
            select one.run_id, row_number() over (order by one.turn, one.priority desc, one.created_at, one.run_id) as place
            from (select *, row_number() over (partition by status = 'pending' order by turn, priority desc, created_at, run_id) as nth from candidate) one, room
            where one.status <> 'pending' or one.nth <= room.starts
            order by place limit $2)
        update {_runs} r set token = r.token + 1, held = true, owner = $3::json, lease_until = {Now} + $4
        from chosen, room where chosen.place <= room.free and r.run_id = chosen.run_id and not ({Live}) returning chosen.place, r.run_id, r.token, {Head}
        """;

    // $1 run, $2 name, $3 time, $4 sender, $5 body. The first column: it was put in; the second: there is such a run.
    public string Post => $"""
        with run as (
            update {_runs} r set messages = r.messages + 1, due_at = case when r.queue is not null and r.messages + 1 > r.seen then '-infinity' else r.due_at end
            where r.run_id = $1 and not exists (select from {_messages} m where m.run_id = $1 and m.name = $2) returning r.messages),
        message as (insert into {_messages} (run_id, n, name, sent_at, sent_by, body) select $1, run.messages, $2, $3, $4, $5 from run returning n)
        select n is not null, r.run_id is not null, case when n is not null then pg_notify('{Channel}', $1) end
        from (select) one left join message on true left join {_runs} r on r.run_id = $1
        """;

    public string Inbox => $"select name, body, sent_at, sent_by from {_messages} where run_id = $1 order by n";

    public string Read => $"select c.line from {_runs} r join {_journal} c on c.run = r.run where r.run_id = $1 and c.seq >= $2 order by c.seq";

    public string Payload => $"select content from {_payloads} where run_id = $1 and sha256 = $2";

    // The row is looked at as it was before.
    public string Delete => $"""
        with run as (delete from {_runs} r where r.run_id = $1 and not ({Live}) returning r.run, r.run_id),
        record as (delete from {_journal} c using run where c.run = run.run),
        payload as (delete from {_payloads} p using run where p.run_id = run.run_id),
        message as (delete from {_messages} m using run where m.run_id = run.run_id)
        select exists (select from run), {Owner} from {_runs} r where r.run_id = $1
        """;

    public string Size => $"select {string.Join(" + ", new[] { _runs, _journal, _payloads, _messages }.Select(table => $"pg_total_relation_size('{table}')"))}";

    /// <summary>Conditions are added by number, so that each list has the plan that fits it.</summary>
    public string List(IReadOnlyList<string> conditions, string limit) => $"""
        select {Head}, {Owner}, behind.line, behind.done from (
            select r.* from {_runs} r {(conditions.Count > 0 ? "where " : "")}{string.Join(" and ", conditions)} order by r.created_at desc, r.run_id desc {limit}) r
        left join lateral (select j.line, j.done from {_journal} j where r.status = 'running' and j.run = r.run and j.seq > r.seq order by j.seq desc limit 1) behind on true
        order by r.created_at desc, r.run_id desc
        """;

    /// <summary>Each status by its index, up to the limit; a status that no run has gives no row.</summary>
    public string Count(IReadOnlyList<string> conditions, string statuses, string limit) => $"""
        select s.status, count(*) from unnest({statuses}::text[]) s (status),
            lateral (select from {_runs} r where {string.Join(" and ", conditions.Prepend("r.status = s.status"))} limit {limit}) one
        group by 1
        """;
}
