function __fish_calira_print_command
    set -l cmdline (commandline -poc)
    set -l cmd
    set -e cmdline[1]
    for arg in $cmdline
        switch $arg
            case bookings
                set cmd $cmd bookings
                break
            case equipment
                set cmd $cmd equipment
                break
            case projects
                set cmd $cmd projects
                break
            case groups
                set cmd $cmd groups
                break
            case accounts
                set cmd $cmd accounts
                break
            case booking
                set cmd $cmd booking
                break
            case form
                set cmd $cmd form
                break
            case get
                set cmd $cmd get
                break
            case tree
                set cmd $cmd tree
                break
            case export
                set cmd $cmd export
                break
            case report
                set cmd $cmd report
                break
            case watch
                set cmd $cmd watch
                break
            case metrics
                set cmd $cmd metrics
                break
            case login
                set cmd $cmd login
                break
            case logout
                set cmd $cmd logout
                break
            case doctor
                set cmd $cmd doctor
                break
            case completion
                set cmd $cmd completion
                break
            case man
                set cmd $cmd man
                break
        end
    end
    echo "$cmd"
end

function __fish_calira_using_command
    test (__fish_calira_print_command) = "$argv"
    and return 0
    or return 1
end

function __fish_calira_seen_command
    string match -q "$argv*" (__fish_calira_print_command)
    and return 0
    or return 1
end

complete -c calira -n '__fish_calira_using_command' -xa 'bookings' -d 'List bookings'
complete -c calira -n '__fish_calira_using_command' -xa 'equipment' -d 'List instruments'
complete -c calira -n '__fish_calira_using_command' -xa 'projects' -d 'List projects and their funding codes'
complete -c calira -n '__fish_calira_using_command' -xa 'groups' -d 'List groups'
complete -c calira -n '__fish_calira_using_command' -xa 'accounts' -d 'List accounts: organisations, departments and labs'
complete -c calira -n '__fish_calira_using_command' -xa 'booking' -d 'Show one booking in full'
complete -c calira -n '__fish_calira_using_command' -xa 'form' -d 'Show the answers of a form that was submitted with a booking'
complete -c calira -n '__fish_calira_using_command' -xa 'get' -d 'Ask any path of the API'
complete -c calira -n '__fish_calira_using_command' -xa 'tree' -d 'Draw the hierarchy: organisations, departments, labs'
complete -c calira -n '__fish_calira_using_command' -xa 'export' -d 'Keep bookings in an SQLite database, a CSV file or PostgreSQL'
complete -c calira -n '__fish_calira_using_command' -xa 'report' -d 'Report utilisation, funding, idle instruments, or bookings to look at'
complete -c calira -n '__fish_calira_using_command' -xa 'watch' -d 'Tell of bookings that are new, have changed or are gone'
complete -c calira -n '__fish_calira_using_command' -xa 'metrics' -d 'Write bookings as metrics for Prometheus'
complete -c calira -n '__fish_calira_using_command' -xa 'login' -d 'Get a grant by an administrator\'s consent'
complete -c calira -n '__fish_calira_using_command' -xa 'logout' -d 'Remove the grant that \'calira login\' has kept'
complete -c calira -n '__fish_calira_using_command' -xa 'doctor' -d 'Look for what is wrong between this machine and the service'
complete -c calira -n '__fish_calira_using_command' -xa 'completion' -d 'Print what a shell needs to complete this command'
complete -c calira -n '__fish_calira_using_command' -xa 'man' -d 'Print the manual page'
complete -c calira -s h -l help -d 'Shows this help'
complete -c calira -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -l version -d 'Shows the version'

complete -c calira -n '__fish_calira_seen_command bookings' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command bookings' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command bookings' -l lab -r -d 'One lab, by its id, its name or its path'
complete -c calira -n '__fish_calira_seen_command bookings' -l under -r -d 'Every lab under an account: its id, its name, or its path as \'University / Physics\''
complete -c calira -n '__fish_calira_seen_command bookings' -l month -r -d 'A calendar month, as 2026-11'
complete -c calira -n '__fish_calira_seen_command bookings' -l from -r -d 'Only what ends after this time: 2026-11-05, \'2026-11-05 09:30\', with an offset or not, today, yesterday, tomorrow, now, or so long before or after: -30d, +2w (days, from the midnight of today), -12h (from now)'
complete -c calira -n '__fish_calira_seen_command bookings' -l to -r -d 'Only what starts before this time; a date is the midnight at its beginning'
complete -c calira -n '__fish_calira_seen_command bookings' -l tz -r -d 'Time zone of what is said and shown without an offset, as Europe/London'
complete -c calira -n '__fish_calira_seen_command bookings' -l status -r -d 'Only those with this status, in any case; may be repeated'
complete -c calira -n '__fish_calira_seen_command bookings' -l type -r -d 'Only those of this type, in any case; may be repeated'
complete -c calira -n '__fish_calira_seen_command bookings' -l where -r -d 'Only records whose field has this value, in any case; a path as equipment.name leads into records, and into any element of arrays; nothing after the = finds those without the field'
complete -c calira -n '__fish_calira_seen_command bookings' -l details -d 'Read the full record of each: one call more for each'
complete -c calira -n '__fish_calira_seen_command bookings' -l limit -r -d 'No more than so many'
complete -c calira -n '__fish_calira_seen_command bookings' -l format -xa 'table csv json ndjson ics' -d 'How it is written'
complete -c calira -n '__fish_calira_seen_command bookings' -l fields -r -d 'The fields to write, as id,equipment.name'
complete -c calira -n '__fish_calira_seen_command bookings' -l raw -d 'In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters, which are masked on a terminal'

complete -c calira -n '__fish_calira_seen_command equipment' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command equipment' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command equipment' -l lab -r -d 'One lab, by its id, its name or its path'
complete -c calira -n '__fish_calira_seen_command equipment' -l under -r -d 'Every lab under an account: its id, its name, or its path as \'University / Physics\''
complete -c calira -n '__fish_calira_seen_command equipment' -l status -r -d 'Only those with this status, in any case; may be repeated'
complete -c calira -n '__fish_calira_seen_command equipment' -l where -r -d 'Only records whose field has this value, in any case; a path as equipment.name leads into records, and into any element of arrays; nothing after the = finds those without the field'
complete -c calira -n '__fish_calira_seen_command equipment' -l no-parents -d 'Leave out instruments that have parts'
complete -c calira -n '__fish_calira_seen_command equipment' -l details -d 'Read the full record of each: one call more for each'
complete -c calira -n '__fish_calira_seen_command equipment' -l limit -r -d 'No more than so many'
complete -c calira -n '__fish_calira_seen_command equipment' -l format -xa 'table csv json ndjson' -d 'How it is written'
complete -c calira -n '__fish_calira_seen_command equipment' -l fields -r -d 'The fields to write, as id,equipment.name'
complete -c calira -n '__fish_calira_seen_command equipment' -l raw -d 'In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters, which are masked on a terminal'

complete -c calira -n '__fish_calira_seen_command projects' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command projects' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command projects' -l lab -r -d 'One lab, by its id, its name or its path'
complete -c calira -n '__fish_calira_seen_command projects' -l under -r -d 'Every lab under an account: its id, its name, or its path as \'University / Physics\''
complete -c calira -n '__fish_calira_seen_command projects' -l where -r -d 'Only records whose field has this value, in any case; a path as equipment.name leads into records, and into any element of arrays; nothing after the = finds those without the field'
complete -c calira -n '__fish_calira_seen_command projects' -l details -d 'Read the full record of each: one call more for each'
complete -c calira -n '__fish_calira_seen_command projects' -l limit -r -d 'No more than so many'
complete -c calira -n '__fish_calira_seen_command projects' -l format -xa 'table csv json ndjson' -d 'How it is written'
complete -c calira -n '__fish_calira_seen_command projects' -l fields -r -d 'The fields to write, as id,equipment.name'
complete -c calira -n '__fish_calira_seen_command projects' -l raw -d 'In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters, which are masked on a terminal'

complete -c calira -n '__fish_calira_seen_command groups' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command groups' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command groups' -l lab -r -d 'One lab, by its id, its name or its path'
complete -c calira -n '__fish_calira_seen_command groups' -l under -r -d 'Every lab under an account: its id, its name, or its path as \'University / Physics\''
complete -c calira -n '__fish_calira_seen_command groups' -l where -r -d 'Only records whose field has this value, in any case; a path as equipment.name leads into records, and into any element of arrays; nothing after the = finds those without the field'
complete -c calira -n '__fish_calira_seen_command groups' -l details -d 'Read the full record of each: one call more for each'
complete -c calira -n '__fish_calira_seen_command groups' -l limit -r -d 'No more than so many'
complete -c calira -n '__fish_calira_seen_command groups' -l format -xa 'table csv json ndjson' -d 'How it is written'
complete -c calira -n '__fish_calira_seen_command groups' -l fields -r -d 'The fields to write, as id,equipment.name'
complete -c calira -n '__fish_calira_seen_command groups' -l raw -d 'In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters, which are masked on a terminal'

complete -c calira -n '__fish_calira_seen_command accounts' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command accounts' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command accounts' -l lab -r -d 'One lab, by its id, its name or its path'
complete -c calira -n '__fish_calira_seen_command accounts' -l under -r -d 'Every lab under an account: its id, its name, or its path as \'University / Physics\''
complete -c calira -n '__fish_calira_seen_command accounts' -l type -r -d 'Only those of this type, in any case; may be repeated'
complete -c calira -n '__fish_calira_seen_command accounts' -l where -r -d 'Only records whose field has this value, in any case; a path as equipment.name leads into records, and into any element of arrays; nothing after the = finds those without the field'
complete -c calira -n '__fish_calira_seen_command accounts' -l details -d 'Read the full record of each: one call more for each'
complete -c calira -n '__fish_calira_seen_command accounts' -l limit -r -d 'No more than so many'
complete -c calira -n '__fish_calira_seen_command accounts' -l format -xa 'table csv json ndjson' -d 'How it is written'
complete -c calira -n '__fish_calira_seen_command accounts' -l fields -r -d 'The fields to write, as id,equipment.name'
complete -c calira -n '__fish_calira_seen_command accounts' -l raw -d 'In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters, which are masked on a terminal'

complete -c calira -n '__fish_calira_seen_command booking' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command booking' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command booking' -l format -xa 'table json ndjson csv' -d 'How it is written'
complete -c calira -n '__fish_calira_seen_command booking' -l fields -r -d 'The fields to write, as id,equipment.name'
complete -c calira -n '__fish_calira_seen_command booking' -l raw -d 'In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters, which are masked on a terminal'
complete -c calira -n '__fish_calira_seen_command booking' -l tz -r -d 'Time zone of what is said and shown without an offset, as Europe/London'

complete -c calira -n '__fish_calira_seen_command form' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command form' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command form' -l format -xa 'table json ndjson csv' -d 'How it is written'
complete -c calira -n '__fish_calira_seen_command form' -l fields -r -d 'The fields to write, as id,equipment.name'
complete -c calira -n '__fish_calira_seen_command form' -l raw -d 'In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters, which are masked on a terminal'
complete -c calira -n '__fish_calira_seen_command form' -l tz -r -d 'Time zone of what is said and shown without an offset, as Europe/London'

complete -c calira -n '__fish_calira_seen_command get' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command get' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command get' -l format -xa 'table json ndjson csv' -d 'How it is written'
complete -c calira -n '__fish_calira_seen_command get' -l fields -r -d 'The fields to write, as id,equipment.name'
complete -c calira -n '__fish_calira_seen_command get' -l raw -d 'In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters, which are masked on a terminal'
complete -c calira -n '__fish_calira_seen_command get' -l tz -r -d 'Time zone of what is said and shown without an offset, as Europe/London'

complete -c calira -n '__fish_calira_seen_command tree' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command tree' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command tree' -l missing -d 'Also name the labs that belong there but that the application was not given: a call for each account above'
complete -c calira -n '__fish_calira_seen_command tree' -l format -xa 'table json' -d 'A drawing, or one array of all accounts with their paths'

complete -c calira -n '__fish_calira_seen_command export' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command export' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command export' -l lab -r -d 'One lab, by its id, its name or its path'
complete -c calira -n '__fish_calira_seen_command export' -l under -r -d 'Every lab under an account: its id, its name, or its path as \'University / Physics\''
complete -c calira -n '__fish_calira_seen_command export' -l details -d 'Costs, projects and funding codes too: one more call for each booking that is new or has changed'
complete -c calira -n '__fish_calira_seen_command export' -l refetch -xa 'all' -d 'With --details: ask for the details of all bookings again'
complete -c calira -n '__fish_calira_seen_command export' -l raw -d 'In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters'
complete -c calira -n '__fish_calira_seen_command export' -l shard -r -d 'In PostgreSQL: only the labs of this share, as 3/16; auto: what Slurm (an array) or Kubernetes (an indexed Job with JOB_COMPLETIONS) says'
complete -c calira -n '__fish_calira_seen_command export' -l run -r -d 'In PostgreSQL: a name for this run; once it has ended, another worker of the same name has nothing to do'

complete -c calira -n '__fish_calira_seen_command report' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command report' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command report' -l lab -r -d 'One lab, by its id, its name or its path'
complete -c calira -n '__fish_calira_seen_command report' -l under -r -d 'Every lab under an account: its id, its name, or its path as \'University / Physics\''
complete -c calira -n '__fish_calira_seen_command report' -l month -r -d 'A calendar month, as 2026-11'
complete -c calira -n '__fish_calira_seen_command report' -l from -r -d 'Only what ends after this time: 2026-11-05, \'2026-11-05 09:30\', with an offset or not, today, yesterday, tomorrow, now, or so long before or after: -30d, +2w (days, from the midnight of today), -12h (from now)'
complete -c calira -n '__fish_calira_seen_command report' -l to -r -d 'Only what starts before this time; a date is the midnight at its beginning'
complete -c calira -n '__fish_calira_seen_command report' -l tz -r -d 'Time zone of what is said and shown without an offset, as Europe/London'
complete -c calira -n '__fish_calira_seen_command report' -l status -r -d 'Only bookings of this status, in any case'
complete -c calira -n '__fish_calira_seen_command report' -l except-status -r -d 'Bookings of this status do not count; without the option declined ones do not'
complete -c calira -n '__fish_calira_seen_command report' -l hours -r -d 'utilisation: the hours in which instruments can be booked, as 08:00-20:00; otherwise all'
complete -c calira -n '__fish_calira_seen_command report' -l days -r -d 'utilisation: the days, as Mon-Fri or Mon,Wed; otherwise all'
complete -c calira -n '__fish_calira_seen_command report' -l only -xa 'overlap project end time' -d 'check: only this: overlap, project, end or time'
complete -c calira -n '__fish_calira_seen_command report' -l exclude-parents -d 'utilisation, idle: leave out instruments that others are part of'
complete -c calira -n '__fish_calira_seen_command report' -l format -xa 'table csv json' -d 'How it is written'
complete -c calira -n '__fish_calira_seen_command report' -l fields -r -d 'The fields to write, as id,equipment.name'
complete -c calira -n '__fish_calira_seen_command report' -l raw -d 'In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters, which are masked on a terminal'
complete -c calira -n '__fish_calira_seen_command report' -l html -r -d 'Write a page to this file instead'

complete -c calira -n '__fish_calira_seen_command watch' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command watch' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command watch' -l lab -r -d 'One lab, by its id, its name or its path'
complete -c calira -n '__fish_calira_seen_command watch' -l under -r -d 'Every lab under an account: its id, its name, or its path as \'University / Physics\''
complete -c calira -n '__fish_calira_seen_command watch' -l tz -r -d 'Time zone of what is said and shown without an offset, as Europe/London'
complete -c calira -n '__fish_calira_seen_command watch' -l interval -r -d 'Seconds between the ends of two looks'
complete -c calira -n '__fish_calira_seen_command watch' -l once -d 'Look once, and end'
complete -c calira -n '__fish_calira_seen_command watch' -l state -r -d 'Where to keep what was seen'
complete -c calira -n '__fish_calira_seen_command watch' -l exec -r -d 'For each event, run this shell command, with the event as JSON on its stdin'
complete -c calira -n '__fish_calira_seen_command watch' -l format -xa 'table ndjson' -d 'How events are written'

complete -c calira -n '__fish_calira_seen_command metrics' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command metrics' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command metrics' -l lab -r -d 'One lab, by its id, its name or its path'
complete -c calira -n '__fish_calira_seen_command metrics' -l under -r -d 'Every lab under an account: its id, its name, or its path as \'University / Physics\''
complete -c calira -n '__fish_calira_seen_command metrics' -l month -r -d 'A calendar month, as 2026-11'
complete -c calira -n '__fish_calira_seen_command metrics' -l from -r -d 'Only what ends after this time: 2026-11-05, \'2026-11-05 09:30\', with an offset or not, today, yesterday, tomorrow, now, or so long before or after: -30d, +2w (days, from the midnight of today), -12h (from now)'
complete -c calira -n '__fish_calira_seen_command metrics' -l to -r -d 'Only what starts before this time; a date is the midnight at its beginning'
complete -c calira -n '__fish_calira_seen_command metrics' -l tz -r -d 'Time zone of what is said and shown without an offset, as Europe/London'
complete -c calira -n '__fish_calira_seen_command metrics' -l output -r -d 'Replace this file (its name should end in .prom) instead of writing to stdout'

complete -c calira -n '__fish_calira_seen_command login' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command login' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command login' -l redirect-uri -r -d 'As registered for the application; the default shows the code'
complete -c calira -n '__fish_calira_seen_command login' -l scopes -r -d 'What the application may read'
complete -c calira -n '__fish_calira_seen_command login' -l authorize-url -r -d 'Where to consent, if not at Calira\'s own page'
complete -c calira -n '__fish_calira_seen_command login' -l token-url -r -d 'The token endpoint, if not Calira\'s own'
complete -c calira -n '__fish_calira_seen_command login' -l base-url -r -d 'With --profile: the API, if not Calira\'s own'

complete -c calira -n '__fish_calira_seen_command logout' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command logout' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'

complete -c calira -n '__fish_calira_seen_command doctor' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command doctor' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'

complete -c calira -n '__fish_calira_seen_command completion' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command completion' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'

complete -c calira -n '__fish_calira_seen_command man' -s h -l help -d 'Shows this help'
complete -c calira -n '__fish_calira_seen_command man' -l profile -r -d 'The institution to ask, of those in profiles.json (see \'calira login\'); otherwise the one in CALIRA_PROFILE'
complete -c calira -n '__fish_calira_seen_command completion; and not __fish_seen_subcommand_from bash zsh fish' -xa 'bash zsh fish'
complete -c calira -n '__fish_calira_seen_command report; and not __fish_seen_subcommand_from utilisation funding idle check' -xa 'utilisation funding idle check'

