---@meta calira

--- What editors know of this library (LuaCATS annotations, as lua-language-server reads them), and what docs/generate.lua makes
--- docs/reference.html of. Lua never loads this file; spec/project/types_spec.lua holds it against the module and against the records of
--- the API reference. A class marked `(exact)` has no other fields, so that an editor reports an option that does not exist.

-- ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- Plain tables with the API's own field names. A field with `?` may be null in the API; it is then absent from the table. The service may
-- add other fields at any time.

--- An integer from 0 (a whole float below 2^53 counts), a text of digits, letters, `_` and `-`, or a record with an `id`.
---@alias calira.Id integer|string|table

--- A time as the API writes it, `2024-01-15T09:00:00.000Z`, with any offset, or a date, which is its midnight UTC; `calira.time` reads it.
---@alias calira.Time string

---@class calira.Reference
---@field id integer
---@field name string

---@class calira.Named
---@field name string

--- An account as lists give it.
---@class calira.AccountSummary
---@field id integer
---@field name string
---@field account_type "organisation"|"department"|"lab"|string
---@field organisation? integer its id
---@field department? integer its id

--- An account as `account(id)` gives it, or `accounts{ details = true }`.
---@class calira.Account
---@field id integer
---@field name string
---@field account_type "organisation"|"department"|"lab"|string
---@field organisation? calira.Reference in a list without details: its id
---@field department? calira.Reference in a list without details: its id
---@field sector? string
---@field description? string
---@field timezone? string as `Europe/London`
---@field labs? calira.Reference[]
---@field departments? calira.Reference[]

---@class calira.Note
---@field message string

--- A booking as lists give it.
---@class calira.BookingSummary
---@field id integer
---@field start_time calira.Time
---@field end_time? calira.Time
---@field status string as `Confirmed`, `Pending`, `Completed`, `Requested`, `Booked`, `declined`
---@field booking_type? string as `internal`, `external`, `maintenance`
---@field equipment_id? integer
---@field user_id? integer
---@field equipment? calira.Named
---@field last_public_note? calira.Note

--- A booking as `booking(id)` gives it; of a list, what a summary does not have is there with `details = true`.
---@class calira.Booking: calira.BookingSummary
---@field equipment calira.Equipment `id` and `name`; in a list without details only `name`; with `equipment = true` the full record
---@field parent_equipment? calira.Reference details
---@field cost? string details; money as a decimal text, `"150.00"`: add with `calira.add`
---@field currency? string details
---@field charging_type? string details
---@field requested_at? calira.Time details
---@field duration? integer details; minutes
---@field add_ons? string details
---@field requester? calira.Requester details
---@field requester_group? calira.Named details
---@field requester_lab? calira.Reference details
---@field requester_organisation? calira.Reference details
---@field provider_lab? calira.Reference details
---@field provider_organisation? calira.Reference details
---@field creator? calira.Reference details
---@field projects? calira.BookingProject[] details
---@field custom_form_responses? calira.FormReference[] details
---@field form_responses? calira.FormResponse[] with `forms = true`: the submitted forms
---@field asset_id? integer of an instrument's bookings: the instrument

---@class calira.Requester
---@field id integer
---@field name string
---@field email? string
---@field sector? string

---@class calira.BookingProject
---@field id integer
---@field name string
---@field supervisor? string
---@field funding_codes calira.BookingFunding[]

---@class calira.BookingFunding
---@field code string
---@field funder? string
---@field amount? number
---@field currency? string

--- Where a form response is: `calira.form_response(entry)` reads it.
---@class calira.FormReference
---@field response_id integer
---@field custom_form_version_id? integer

--- An instrument's booking as `equipment_bookings` gives it.
---@class calira.EquipmentBooking: calira.Booking
---@field asset_id integer the instrument

--- A submitted form; `calira.answers` makes a table of its answers.
---@class calira.FormResponse
---@field custom_form_response_id integer
---@field custom_form_id? integer
---@field custom_form_version_id? integer
---@field booking_reference_id? integer
---@field created_by? string
---@field created_at? calira.Time
---@field updated_at? calira.Time
---@field form_response calira.FormItem[]

---@class calira.FormItem
---@field type string as `heading`, `paragraph`, `shortText`, `longText`, `number`, `valueUnit`, `dateTime`, `radioButton`, `dropdown`, `checkboxGroup`, `fileUpload`, `imageUpload`
---@field text? string the question
---@field helperText? string
---@field validations? calira.FormValidations
---@field options? string[]
---@field value? string|number|boolean|string[]|calira.FormFile[] the answer

---@class calira.FormValidations
---@field isRequired? boolean
---@field allowDecimals? boolean
---@field minValue? number
---@field maxValue? number
---@field unitType? string
---@field onlyDate? boolean the value is local midnight given as an instant

---@class calira.FormFile
---@field signed_id string
---@field filename string

--- An instrument as lists give it.
---@class calira.EquipmentSummary
---@field id integer
---@field name string
---@field description? string
---@field room? string
---@field availability_status? string
---@field model? string
---@field manufacturer? string
---@field sub_category? calira.Reference
---@field contact_person? calira.Reference
---@field parent_id? integer
---@field parent_name? string

--- An instrument as `equipment(id)` gives it; of a list, what a summary does not have is there with `details = true`.
---@class calira.Equipment: calira.EquipmentSummary
---@field city? string details
---@field country? string details
---@field currency? string details
---@field charging_type? string details
---@field category? calira.Named details
---@field lab? calira.Reference details
---@field manufacturing_year? string details
---@field serial_number? string details

--- A project as lists give it.
---@class calira.ProjectSummary
---@field id integer
---@field name string
---@field created_by? calira.Reference
---@field supervisor? string
---@field funding_codes calira.FundingCode[]

--- A project as `project(account, id)` gives it, which has no `id`; of a list, what a summary does not have is there with `details = true`.
---@class calira.Project: calira.ProjectSummary
---@field additional_information? string details
---@field selected_users? calira.Reference[] details

---@class calira.FundingCode
---@field id integer
---@field name string
---@field funder_name? string details
---@field funder_type? string details
---@field expiry_date? calira.Time details; a date
---@field allocated_amount? number details
---@field spent_amount? number details

--- A group as lists give it.
---@class calira.GroupSummary
---@field id integer
---@field name string

--- A group as `group(id)` gives it, or `groups{ details = true }`.
---@class calira.Group: calira.GroupSummary
---@field equipment? calira.Reference[] details

-- ── The hierarchy ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- An account in a tree. Nodes point to each other: not for a JSON encoder.
---@class calira.Node: calira.AccountSummary
---@field parent? calira.Node
---@field departments calira.Node[]
---@field labs calira.Node[]

--- A lab that the application cannot see.
---@class calira.MissingLab: calira.Reference
---@field parent calira.Node

--- What `tree:find` and `under` take: an id, a name, a path as `"University / Physics"`, or a node.
---@alias calira.Key integer|string|table

--- The hierarchy of accounts; `tostring` draws it.
---@class calira.Tree
---@field organisations calira.Node[]
---@field independent_labs calira.Node[] labs of no organisation
---@field orphans calira.Node[] what they belong to is not visible
---@field by_id table<integer|string, calira.Node> by 7 as well as by "7"
---@field cycles calira.Node[][] accounts that bad data puts under themselves
local Tree = {}

--- The one account that a key means; none or several is an argument error with the nearest names or the candidates.
---@param key calira.Key
---@return calira.Node
function Tree:find(key) end

--- Every lab under an account, at any depth; without a key, every lab.
---@param key? calira.Key
---@return calira.Node[]
function Tree:labs(key) end

--- `"University / Physics / Optics"`.
---@param node calira.Key
---@return string
function Tree:path(node) end

--- Every account with its depth, depth first.
---@return fun(): calira.Node?, integer?
function Tree:walk() end

--- The labs that organisations and departments name but the application cannot see: a call for each of them.
---@return calira.MissingLab[]
function Tree:missing() end

-- ── Lists ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

---@alias calira.Verdict "complete"|"partial"|"drifted"|"looped"|"clamped"

--- How a list was read.
---@class calira.Report
---@field verdict calira.Verdict
---@field received integer records that the server gave, each once
---@field delivered integer records that the reader got
---@field unseen integer how many more the total promises than the server gives
---@field duplicates integer records that came again
---@field gone integer records whose details were gone
---@field undetailed integer records without a usable id, delivered without their details
---@field unreadable integer bookings whose start could not be read, delivered whatever `from` and `to` say
---@field filtered integer records that a filter dropped
---@field accounts integer how many accounts were asked, of a list under one
---@field passes integer how often the list was read
---@field pages integer
---@field requests integer
---@field total_first? integer the server's count at the first page
---@field total_last? integer the server's count at the last page
---@field parts? { node: calira.Node, report: calira.Report }[] of a list over several labs
---@field skipped? { node: calira.Node, error: calira.Error }[] of a list over several labs: those that `on_error` gave up

--- What `on_page` is told.
---@class calira.Page
---@field page integer the server's number
---@field pages? integer how many there are
---@field received integer records so far
---@field total? integer
---@field pass integer
---@field node? calira.Node

--- A list: lazy, to be looped over, or read by its methods. The record is the first value of a loop, the account (under `under`) the
--- second: `for b, lab in list do`, not `for _, b in list do`.
---@class calira.List
---@overload fun(): table, calira.Node?
local List = {}

--- The next record, or nil at the end; under `under` its account second. May wait.
---@return table? record
---@return calira.Node? node
function List:next() end

--- For a loop over pages: the server's page number, the records that it adds, the account. The loop waits; leaving it closes the list.
---@return calira.Pages pages
---@return nil
---@return nil
---@return calira.Pages closed when the loop is left
function List:pages() end

--- An array of all that was not delivered yet; under `under` a second one with each one's account. May wait.
---@return table[] records
---@return calira.Node[]? nodes
function List:collect() end

--- `next`, then `close`. May wait.
---@return table? record
---@return calira.Node? node
function List:first() end

--- How many records the server has, not how many pass the filters; nil where it does not say. Asks for the first page if need be, and may
--- wait. Under `under` it asks nothing and is nil until every account has told its own.
---@return integer?
function List:total() end

--- Records received, total, lists finished, lists in all. Never waits.
---@return integer received
---@return integer? total
---@return integer finished
---@return integer lists
function List:progress() end

--- How it was read, so far.
---@return calira.Report
function List:report() end

--- Where it is: `resume` goes on from there. Nil for a list that cannot be resumed. While an array of `collect` or `pages` is under way,
--- and where it failed, that is before its first record.
---@return string?
function List:cursor() end

--- Ends it and cancels what is in flight.
function List:close() end

--- What `pages` returns, for a loop.
---@class calira.Pages
---@overload fun(): integer, table[], calira.Node?

---@class calira.AccountList: calira.List
---@overload fun(): calira.Account, calira.Node?
---@field next fun(self): calira.Account?, calira.Node?
---@field pages fun(self): fun(): integer, calira.Account[], calira.Node?
---@field collect fun(self): calira.Account[], calira.Node[]?
---@field first fun(self): calira.Account?, calira.Node?

---@class calira.BookingList: calira.List
---@overload fun(): calira.Booking, calira.Node?
---@field next fun(self): calira.Booking?, calira.Node?
---@field pages fun(self): fun(): integer, calira.Booking[], calira.Node?
---@field collect fun(self): calira.Booking[], calira.Node[]?
---@field first fun(self): calira.Booking?, calira.Node?

---@class calira.EquipmentBookingList: calira.List
---@overload fun(): calira.EquipmentBooking, calira.Node?
---@field next fun(self): calira.EquipmentBooking?, calira.Node?
---@field pages fun(self): fun(): integer, calira.EquipmentBooking[], calira.Node?
---@field collect fun(self): calira.EquipmentBooking[], calira.Node[]?
---@field first fun(self): calira.EquipmentBooking?, calira.Node?

---@class calira.EquipmentList: calira.List
---@overload fun(): calira.Equipment, calira.Node?
---@field next fun(self): calira.Equipment?, calira.Node?
---@field pages fun(self): fun(): integer, calira.Equipment[], calira.Node?
---@field collect fun(self): calira.Equipment[], calira.Node[]?
---@field first fun(self): calira.Equipment?, calira.Node?

---@class calira.ProjectList: calira.List
---@overload fun(): calira.Project, calira.Node?
---@field next fun(self): calira.Project?, calira.Node?
---@field pages fun(self): fun(): integer, calira.Project[], calira.Node?
---@field collect fun(self): calira.Project[], calira.Node[]?
---@field first fun(self): calira.Project?, calira.Node?

---@class calira.GroupList: calira.List
---@overload fun(): calira.Group, calira.Node?
---@field next fun(self): calira.Group?, calira.Node?
---@field pages fun(self): fun(): integer, calira.Group[], calira.Node?
---@field collect fun(self): calira.Group[], calira.Node[]?
---@field first fun(self): calira.Group?, calira.Node?

--- Options of every list.
---@class (exact) calira.ListOptions
---@field per_page? integer 1 to 100
---@field page? integer where to start
---@field limit? integer records delivered, after filters and details
---@field lookahead? integer pages asked for ahead of the reader, 0 to 64
---@field params? table<string, string|number|boolean|table> further query parameters
---@field strict? boolean raise at the end of a list that may be incomplete
---@field exact? boolean deliver what the account held at one instant, or raise
---@field resume? string a cursor of the same call
---@field where? fun(record: table): any keeps the records for which it is true; sees the summary
---@field on_page? fun(page: calira.Page) called as each page is read

--- Options of lists whose records have a call of their own.
---@class (exact) calira.DetailOptions: calira.ListOptions
---@field details? boolean the full record of each, laid over the summary
---@field unordered? boolean with `details` or `under`: deliver records in order of arrival

--- Options of lists that can be asked across accounts.
---@class (exact) calira.UnderOptions: calira.DetailOptions
---@field under? calira.Key every lab under this account; for projects, every account
---@field shard? string of these accounts only a share: `"3/16"` is the third of sixteen, the same whenever it is asked
---@field on_error? fun(err: calira.Error, node: calira.Node): boolean? sees an error of one account; true skips the rest of it

---@class (exact) calira.AccountsOptions: calira.DetailOptions
---@field shard? string only a share of them: `"3/16"` is the third of sixteen

---@class (exact) calira.BookingsOptions: calira.UnderOptions
---@field provider? calira.Id the lab that provides them
---@field from? calira.Time|number only what ends after this time
---@field to? calira.Time|number only what starts before this time
---@field status? string|string[] case is ignored
---@field except_status? string|string[] case is ignored
---@field booking_type? string|string[] case is ignored
---@field forms? boolean add `form_responses`; implies details
---@field equipment? boolean put the full record of the instrument in `equipment`

---@class (exact) calira.EquipmentBookingsOptions: calira.DetailOptions
---@field from? calira.Time|number only what ends after this time
---@field to? calira.Time|number only what starts before this time
---@field status? string|string[] case is ignored
---@field except_status? string|string[] case is ignored
---@field forms? boolean add `form_responses`; implies details
---@field equipment? boolean put the full record of the instrument in `equipment`

---@class (exact) calira.EquipmentOptions: calira.UnderOptions
---@field account? calira.Id the lab
---@field exclude_parents? boolean leave out those that have parts

---@class (exact) calira.ProjectsOptions: calira.UnderOptions
---@field account? calira.Id this, or `under`, is needed

---@class (exact) calira.GroupsOptions: calira.UnderOptions
---@field account? calira.Id the lab

-- ── Requests, responses, tasks, errors ────────────────────────────────────────────────────────────────────────────────────────────

--- A call whose answer is still to come.
---@class calira.Request
local Request = {}

--- The decoded body and the response. May wait.
---@return any body
---@return calira.Response response
function Request:wait() end

--- Whether `wait` would not wait.
---@return boolean
function Request:done() end

--- Ends it; `wait` then raises kind `cancelled`.
function Request:cancel() end

--- The answer to a call.
---@class calira.Response
---@field status integer
---@field headers table<string, string> names in lower case
---@field request_id? string
---@field attempts integer 1 + retries
---@field elapsed number seconds
local Response = {}

--- The body as it came.
---@return string
function Response:text() end

--- What `spawn` returns.
---@class calira.Task
local Task = {}

--- What the function returned; raises what it raised. May wait.
---@return any ...
function Task:wait() end

--- Whether `wait` would not wait.
---@return boolean
function Task:done() end

--- Ends it; its `<close>` variables are closed, `wait` raises kind `cancelled`.
function Task:cancel() end

--- What `generator` returns, for a loop.
---@class calira.Generator
---@overload fun(): any ...
local Generator = {}

--- The next values that the function yielded, or nil at its end. May wait.
---@return any ...
function Generator:next() end

--- Ends the function; its `<close>` variables are closed.
function Generator:close() end

---@alias calira.ErrorKind "argument"|"network"|"tls"|"timeout"|"unauthorized"|"forbidden"|"not_found"|"rate_limited"|"client"|"server"|"decode"|"too_large"|"redirect"|"drift"|"cancelled"|"closed"

--- What every failure raises; `tostring` says what to do.
---@class calira.Error
---@operator concat(any): string
---@field kind calira.ErrorKind
---@field message string
---@field method? string
---@field path? string
---@field status? integer
---@field attempts? integer
---@field request_id? string
---@field retry_after? number seconds from now
---@field body? string its first 2 KiB
---@field report? calira.Report of kind `drift`
---@field cause? any
---@field at? string file and line of the call in your code

-- ── Clients ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Pauses between attempts in seconds, each of a random length (full jitter).
---@class (exact) calira.Backoff
---@field base? number the first pause is below this, each further one below its double; 0.5
---@field max? number no pause is longer; 30

--- The token endpoint's answer.
---@class calira.Grant
---@field access_token string
---@field refresh_token? string
---@field expires_in? number
---@field created_at? number
---@field scope? string
---@field token_type? string
---@field token_url? string the token endpoint that it is of
---@field client_id? string the application that it is of
---@field received_at? integer when it came, by this machine's clock

--- Where a grant is kept. One that several processes share has `lock`.
---@class calira.Store
---@field load fun(): calira.Grant?
---@field save fun(grant: calira.Grant)
---@field lock? fun(): any may wait; what it returns is closed when the refresh is over
---@field check? fun(): boolean, string? asked before a refresh: false and why `save` could not save
---@field advice? string what messages say to do about a grant that is no good

--- A grant that is refreshed when it expires.
---@class (exact) calira.OAuth
---@field client_id? string
---@field client_secret? string
---@field refresh_token? string a stored grant goes before it
---@field token_url? string
---@field store calira.Store

--- What `trace` is told.
---@class calira.Event
---@field event "request"|"response"|"retry"|"wait"|"refresh"|"verdict"|string
---@field method? string
---@field path? string
---@field attempt? integer
---@field status? integer
---@field seconds? number
---@field limit? integer calls at once, as learnt
---@field rate? number calls a second, as learnt
---@field message? string
---@field verdict? calira.Verdict
---@field report? calira.Report

--- A limit that clients share: what the option `limits` takes.
---@class calira.Limits
---@field attach fun(self: calira.Limits, rate?: number): fun(), fun(event: table)

---@class (exact) calira.ClientOptions
---@field base_url? string the service; `https://api.clustermarket.com/v1`
---@field token? string|fun(): string a function is asked again after a 401
---@field oauth? calira.OAuth a grant that is refreshed, instead of a token
---@field timeout? number seconds for one attempt; 60
---@field connect_timeout? number seconds; 10
---@field deadline? number seconds for a call with all its retries and waits, from when the client's own limits let it go; none
---@field retries? integer after the first attempt of a GET; 4
---@field backoff? calira.Backoff the pauses between attempts; `{ base = 0.5, max = 30 }`
---@field max_wait? number the longest wait that a server may ask for, or that is taken where it refuses all and does not say, in seconds; 60
---@field max_in_flight? integer calls at once at the most; 8
---@field rate? number calls a second at the most; none
---@field adaptive? boolean below these two, follow what the service can take; true
---@field limiter? fun() called before each call is sent; may wait
---@field limits? calira.Limits shared with other clients, on whatever machine; the smallest `rate` of them holds for all
---@field lookahead? integer pages asked for ahead of the reader; as many as keep `max_in_flight` busy
---@field max_body? integer bytes of a body after decompression; 64 MiB
---@field strict? boolean raise at the end of a list that may be incomplete; true
---@field user_agent? string `calira/0.1.0`
---@field proxy? string as libcurl takes it; that of the environment
---@field ca_file? string authorities instead of the system's
---@field ca_path? string a folder of authorities instead of the system's
---@field insecure? boolean no certificate check; false
---@field allow_http? boolean a token over plain http to another machine; false
---@field trace? fun(event: calira.Event) called for each request, response, retry, wait, refresh and verdict

---@class calira.Stats
---@field calls integer calls sent, retries included
---@field retries integer
---@field refreshes integer
---@field bytes integer
---@field connections integer opened
---@field waited number seconds, for limits
---@field in_flight integer calls whose answer is still to come
---@field limit integer how many calls at once are sent now, `max_in_flight` at the most
---@field rate? number how many calls a second are sent now at the most; nil where there is no such limit

--- A client of the service.
---@class calira.Client
local Client = {}

--- What it has done so far.
---@return calira.Stats
function Client:stats() end

--- Cancels everything of it.
function Client:close() end

--- Organisations, departments and labs.
---@param options? calira.AccountsOptions
---@return calira.AccountList list
---@return nil
---@return nil
---@return calira.AccountList closed when a loop is left
function Client:accounts(options) end

--- One account. May wait.
---@param id calira.Id
---@return calira.Account
function Client:account(id) end

--- Bookings that a lab provides, or all labs under an account.
---@param options? calira.BookingsOptions
---@return calira.BookingList list
---@return nil
---@return nil
---@return calira.BookingList closed when a loop is left
function Client:bookings(options) end

--- One booking. May wait.
---@param id calira.Id
---@return calira.Booking
function Client:booking(id) end

--- Instruments; with an id one of them, which may wait.
---@param options? calira.EquipmentOptions
---@return calira.EquipmentList list
---@return nil
---@return nil
---@return calira.EquipmentList closed when a loop is left
---@overload fun(self: calira.Client, id: calira.Id): calira.Equipment
function Client:equipment(options) end

--- An instrument's bookings.
---@param id calira.Id
---@param options? calira.EquipmentBookingsOptions
---@return calira.EquipmentBookingList list
---@return nil
---@return nil
---@return calira.EquipmentBookingList closed when a loop is left
function Client:equipment_bookings(id, options) end

--- Projects of an account, or of all under one.
---@param options calira.ProjectsOptions
---@return calira.ProjectList list
---@return nil
---@return nil
---@return calira.ProjectList closed when a loop is left
function Client:projects(options) end

--- One project. May wait.
---@param account calira.Id
---@param id calira.Id
---@return calira.Project
function Client:project(account, id) end

--- Groups of a lab, or of all labs under an account.
---@param options? calira.GroupsOptions
---@return calira.GroupList list
---@return nil
---@return nil
---@return calira.GroupList closed when a loop is left
function Client:groups(options) end

--- One group. May wait.
---@param id calira.Id
---@return calira.Group
function Client:group(id) end

--- A submitted form. May wait.
---@param id calira.Id|calira.FormReference
---@return calira.FormResponse
function Client:form_response(id) end

--- The hierarchy, read anew. May wait.
---@return calira.Tree
function Client:tree() end

--- Any path. May wait.
---@param path string
---@param query? table<string, string|number|boolean|table>
---@return any body
---@return calira.Response response
function Client:get(path, query) end

--- Any path, without waiting.
---@param path string
---@param query? table<string, string|number|boolean|table>
---@return calira.Request
function Client:request(path, query) end

--- The list at any path.
---@param path string
---@param query? table<string, string|number|boolean|table>
---@param options? calira.ListOptions
---@return calira.List list
---@return nil
---@return nil
---@return calira.List closed when a loop is left
function Client:list(path, query, options) end

-- ── The module ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- `require "calira"`. A name that it does not have is an argument error with the nearest name.
---@class calira
---@field _VERSION string
---@field null lightuserdata a null inside an array
---@field oauth calira.oauth
---@field limits calira.limits
local calira = {}

--- Organisations, departments and labs.
---@param options? calira.AccountsOptions
---@return calira.AccountList list
---@return nil
---@return nil
---@return calira.AccountList closed when a loop is left
function calira.accounts(options) end

--- One account. May wait.
---@param id calira.Id
---@return calira.Account
function calira.account(id) end

--- Bookings that a lab provides, or all labs under an account.
---@param options? calira.BookingsOptions
---@return calira.BookingList list
---@return nil
---@return nil
---@return calira.BookingList closed when a loop is left
function calira.bookings(options) end

--- One booking. May wait.
---@param id calira.Id
---@return calira.Booking
function calira.booking(id) end

--- Instruments; with an id one of them, which may wait.
---@param options? calira.EquipmentOptions
---@return calira.EquipmentList list
---@return nil
---@return nil
---@return calira.EquipmentList closed when a loop is left
---@overload fun(id: calira.Id): calira.Equipment
function calira.equipment(options) end

--- An instrument's bookings.
---@param id calira.Id
---@param options? calira.EquipmentBookingsOptions
---@return calira.EquipmentBookingList list
---@return nil
---@return nil
---@return calira.EquipmentBookingList closed when a loop is left
function calira.equipment_bookings(id, options) end

--- Projects of an account, or of all under one.
---@param options calira.ProjectsOptions
---@return calira.ProjectList list
---@return nil
---@return nil
---@return calira.ProjectList closed when a loop is left
function calira.projects(options) end

--- One project. May wait.
---@param account calira.Id
---@param id calira.Id
---@return calira.Project
function calira.project(account, id) end

--- Groups of a lab, or of all labs under an account.
---@param options? calira.GroupsOptions
---@return calira.GroupList list
---@return nil
---@return nil
---@return calira.GroupList closed when a loop is left
function calira.groups(options) end

--- One group. May wait.
---@param id calira.Id
---@return calira.Group
function calira.group(id) end

--- A submitted form. May wait.
---@param id calira.Id|calira.FormReference
---@return calira.FormResponse
function calira.form_response(id) end

--- The hierarchy, read anew. May wait.
---@return calira.Tree
function calira.tree() end

--- Any path. May wait.
---@param path string
---@param query? table<string, string|number|boolean|table>
---@return any body
---@return calira.Response response
function calira.get(path, query) end

--- Any path, without waiting.
---@param path string
---@param query? table<string, string|number|boolean|table>
---@return calira.Request
function calira.request(path, query) end

--- The list at any path.
---@param path string
---@param query? table<string, string|number|boolean|table>
---@param options? calira.ListOptions
---@return calira.List list
---@return nil
---@return nil
---@return calira.List closed when a loop is left
function calira.list(path, query, options) end

--- What the default client has done so far.
---@return calira.Stats
function calira.stats() end

--- Cancels everything of the default client.
function calira.close() end

--- Makes a client. It takes nothing from the environment but `CALIRA_TRACE` and curl's proxy variables.
---@param options calira.ClientOptions
---@return calira.Client
function calira.new(options) end

--- The client of the module's own calls, made on first use from the environment.
---@return calira.Client
function calira.default() end

--- Makes a new default client; what is missing comes from the environment.
---@param options? calira.ClientOptions
---@return calira.Client
function calira.configure(options) end

--- Epoch seconds of an API time: an integer, or a float where there is a fraction; nil and a message for anything else.
---@param text any
---@return number? epoch
---@return string? message
function calira.time(text) end

--- How many seconds of a booking lie in the half-open span from `from` to `to`; a booking without end counts 0.
---@param b calira.BookingSummary
---@param from? calira.Time|number
---@param to? calira.Time|number
---@return number
function calira.seconds(b, from, to) end

--- The exact sum of two decimal texts; nil counts as 0.
---@param a? string|integer
---@param b? string|integer
---@return string
function calira.add(a, b) end

--- The answers of a form by question, and the questions in order.
---@param form calira.FormResponse
---@return table<string, any> answers
---@return string[] questions
function calira.answers(form) end

--- Any value as a text for people: a record in an interpreter, a value in a log. Keys are sorted, cycles cut, control characters shown, and
--- what is too long or too deep ends in `…`. It prints nothing: `print(calira.show(b))`, or `= calira.show(b)` in `lua5.4 -i`.
---@param value any
---@return string
function calira.show(value) end

--- A text from the service made fit for a terminal: one line, in which control characters, escape sequences and marks that turn the
--- direction of writing are shown instead of sent.
---@param text any taken as `tostring` gives it
---@return string
function calira.mask(text) end

--- Whether a value is an error of this library.
---@param value any
---@return boolean
function calira.is_error(value) end

--- Runs a function and all that it spawns; returns what it returns. May wait.
---@param f function
---@param ... any
---@return any ...
function calira.run(f, ...) end

--- Starts a function as a task.
---@param f function
---@param ... any
---@return calira.Task
function calira.spawn(f, ...) end

--- Runs functions at the same time; returns their first results, in order, with `n`. May wait.
---@param functions (fun(): any)[]
---@return { n: integer, [integer]: any }
function calira.gather(functions) end

--- Waits so many seconds.
---@param seconds number
function calira.sleep(seconds) end

--- An iterator out of a function that yields records and may wait.
---@param f function
---@return calira.Generator generator
---@return nil
---@return nil
---@return calira.Generator closed when the loop is left
function calira.generator(f) end

--- The descriptor to poll: readable when there is something to do.
---@return integer
function calira.pollfd() end

--- What to poll it for, as cqueues names it.
---@return string
function calira.events() end

--- Seconds after which to call `step` at the latest; nil if nothing is due.
---@return number?
function calira.timeout() end

--- Does what is due. Waits at most so many seconds for it; with 0 it never blocks.
---@param seconds? number 0 without it
---@return boolean left whether anything is left to do
function calira.step(seconds) end

---@class (exact) calira.AuthorizeOptions
---@field client_id string
---@field redirect_uri string
---@field scopes? string[] as `read_bookings`
---@field state? string
---@field code_challenge? string PKCE, method S256
---@field url? string where to consent, if not at Calira's own page

---@class (exact) calira.ExchangeOptions
---@field code string
---@field client_id string
---@field client_secret? string
---@field redirect_uri string
---@field code_verifier? string
---@field token_url? string

--- Consent, and stores of grants.
---@class calira.oauth
calira.oauth = {}

--- The address at which an administrator consents.
---@param options calira.AuthorizeOptions
---@return string
function calira.oauth.authorize_url(options) end

--- A grant for the code of a consent. May wait.
---@param options calira.ExchangeOptions
---@return calira.Grant
function calira.oauth.exchange(options) end

--- A store in a file: mode 0600, locked between processes.
---@param path string
---@return calira.Store
function calira.oauth.file_store(path) end

---@class (exact) calira.PostgresStoreOptions
---@field dsn string where the database is: `postgresql://…`, or `host=… dbname=…`
---@field name? string of the grant's row; `default` without it

--- A store in a row of PostgreSQL, locked between machines. Needs LuaSQL's driver for PostgreSQL (Debian: lua-sql-postgres).
---@param options calira.PostgresStoreOptions
---@return calira.Store
function calira.oauth.postgres_store(options) end

---@class calira.limits
calira.limits = {}

---@class (exact) calira.PostgresLimitsOptions
---@field dsn string where the database is: `postgresql://…`, or `host=… dbname=…`
---@field name? string of the limit's row; `default` without it

--- A limit in a row of PostgreSQL: `rate`, what 429 taught, and pauses hold for all clients that share the name. Needs LuaSQL's driver.
---@param options calira.PostgresLimitsOptions
---@return calira.Limits
function calira.limits.postgres(options) end

-- ── Beside the module ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- `require "calira.progress"` is a function that wraps a list for a loop, and shows on stderr how far it is, where that is a terminal.
---@alias calira.Progress fun(list: calira.List, ...: any): calira.List, nil, nil, calira.List

--- What the library gives a host's wait function: something to be waited for.
---@class calira.Waiter

--- `require "calira.adapters"`: for an event loop that has no adapter here. examples/hosts has some.
---@class calira.adapters
local adapters = {}

--- From now on, a call that has to wait asks `find` how. Registering a name again replaces what it had.
---@param name string the loop's name
---@param find fun(): fun(waiter: calira.Waiter)? in a coroutine that has to wait: its wait function where it is one of this loop's, else nil
function adapters.register(name, find) end

--- Undoes `register`. Coroutines that wait already are still woken as long as something calls `step`.
---@param name string
function adapters.unregister(name) end

--- Has `wake` called, once, when the waiter fires; at once where it has fired already. `wake` only notes that the coroutine can go on.
---@param waiter calira.Waiter what the wait function was given
---@param wake fun()
function adapters.park(waiter, wake) end

--- As `calira.pollfd`.
---@return integer
function adapters.pollfd() end

--- As `calira.events`.
---@return string
function adapters.events() end

--- As `calira.timeout`.
---@return number?
function adapters.timeout() end

--- As `calira.step`.
---@param seconds? number 0 without it
---@return boolean left whether anything is left to do
function adapters.step(seconds) end

--- `require "calira.adapters.cqueues"`.
---@class calira.adapters.cqueues
local cqueues = {}

--- From now on, calls in coroutines that cqueues itself runs wait as cqueues does.
function cqueues.attach() end

--- Undoes `attach`.
function cqueues.detach() end

--- `require "calira.adapters.luv"`.
---@class calira.adapters.luv
local luv = {}

--- Starts a function in a coroutine that waits on luv's loop, and runs it up to its first wait.
---@param f function
---@param ... any
function luv.spawn(f, ...) end

--- From now on no coroutine waits on luv's loop.
function luv.detach() end

return calira
