---@meta calira

--- What editors know of this library (LuaCATS annotations, as lua-language-server reads them). Never loaded by Lua; spec/project/types_spec.lua
--- holds it against the module and against the records of the API reference.

-- ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- Plain tables with the API's own names. A field with `?` may be null, which is absent here. Other fields may appear at any time.

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

--- A submitted form; `calira.answers` makes a table of it.
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
---@field by_id table<integer|string, calira.Node>
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

--- A list: lazy, to be looped over, or read by its methods.
---@class calira.List
local List = {}

--- The next record, or nil at the end; under `under` its account second. May wait.
---@return table? record
---@return calira.Node? node
function List:next() end

--- For a loop over pages: the server's page number, the records that it adds, the account. May wait.
---@return fun(): integer?, table[], calira.Node?
function List:pages() end

--- An array of all that was not delivered yet; under `under` a second one with each one's account. May wait.
---@return table[] records
---@return calira.Node[]? nodes
function List:collect() end

--- `next`, then `close`. May wait.
---@return table? record
---@return calira.Node? node
function List:first() end

--- The server's count, whatever the filters; nil where it does not say. May wait.
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

--- Where it is: `resume` goes on from there. Nil for a list that cannot be resumed.
---@return string?
function List:cursor() end

--- Ends it and cancels what is in flight.
function List:close() end

---@class calira.AccountList: calira.List
---@field next fun(self): calira.Account?, calira.Node?
---@field pages fun(self): fun(): integer?, calira.Account[], calira.Node?
---@field collect fun(self): calira.Account[], calira.Node[]?
---@field first fun(self): calira.Account?, calira.Node?

---@class calira.BookingList: calira.List
---@field next fun(self): calira.Booking?, calira.Node?
---@field pages fun(self): fun(): integer?, calira.Booking[], calira.Node?
---@field collect fun(self): calira.Booking[], calira.Node[]?
---@field first fun(self): calira.Booking?, calira.Node?

---@class calira.EquipmentBookingList: calira.List
---@field next fun(self): calira.EquipmentBooking?, calira.Node?
---@field pages fun(self): fun(): integer?, calira.EquipmentBooking[], calira.Node?
---@field collect fun(self): calira.EquipmentBooking[], calira.Node[]?
---@field first fun(self): calira.EquipmentBooking?, calira.Node?

---@class calira.EquipmentList: calira.List
---@field next fun(self): calira.Equipment?, calira.Node?
---@field pages fun(self): fun(): integer?, calira.Equipment[], calira.Node?
---@field collect fun(self): calira.Equipment[], calira.Node[]?
---@field first fun(self): calira.Equipment?, calira.Node?

---@class calira.ProjectList: calira.List
---@field next fun(self): calira.Project?, calira.Node?
---@field pages fun(self): fun(): integer?, calira.Project[], calira.Node?
---@field collect fun(self): calira.Project[], calira.Node[]?
---@field first fun(self): calira.Project?, calira.Node?

---@class calira.GroupList: calira.List
---@field next fun(self): calira.Group?, calira.Node?
---@field pages fun(self): fun(): integer?, calira.Group[], calira.Node?
---@field collect fun(self): calira.Group[], calira.Node[]?
---@field first fun(self): calira.Group?, calira.Node?

--- Options of every list.
---@class calira.ListOptions
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
---@class calira.DetailOptions: calira.ListOptions
---@field details? boolean the full record of each, laid over the summary
---@field unordered? boolean with details or under: deliver whatever is there first

--- Options of lists that can be asked across accounts.
---@class calira.UnderOptions: calira.DetailOptions
---@field under? calira.Key every lab under this account; for projects, every account
---@field shard? string of these accounts only a share: `"3/16"` is the third of sixteen
---@field on_error? fun(err: calira.Error, node: calira.Node): boolean? sees an error of one account; true skips the rest of it

---@class calira.AccountsOptions: calira.DetailOptions
---@field shard? string only a share of them: `"3/16"` is the third of sixteen

---@class calira.BookingsOptions: calira.UnderOptions
---@field provider? calira.Id the lab that provides them
---@field from? calira.Time|number only what ends after this time
---@field to? calira.Time|number only what starts before this time
---@field status? string|string[] case is ignored
---@field except_status? string|string[] case is ignored
---@field booking_type? string|string[] case is ignored
---@field forms? boolean add `form_responses`; implies details
---@field equipment? boolean put the full record of the instrument in `equipment`

---@class calira.EquipmentBookingsOptions: calira.DetailOptions
---@field from? calira.Time|number only what ends after this time
---@field to? calira.Time|number only what starts before this time
---@field status? string|string[] case is ignored
---@field except_status? string|string[] case is ignored
---@field forms? boolean add `form_responses`; implies details
---@field equipment? boolean put the full record of the instrument in `equipment`

---@class calira.EquipmentOptions: calira.UnderOptions
---@field account? calira.Id the lab
---@field exclude_parents? boolean leave out those that have parts

---@class calira.ProjectsOptions: calira.UnderOptions
---@field account? calira.Id this, or `under`, is needed

---@class calira.GroupsOptions: calira.UnderOptions
---@field account? calira.Id the lab

-- ── Requests, responses, tasks, errors ────────────────────────────────────────────────────────────────────────────────────────────

--- A call to come.
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

--- What came back.
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
local Generator = {}

--- The next values that the function yielded, or nil at its end. May wait.
---@return any ...
function Generator:next() end

--- Ends the function; its `<close>` variables are closed.
function Generator:close() end

---@alias calira.ErrorKind "argument"|"network"|"tls"|"timeout"|"unauthorized"|"forbidden"|"not_found"|"rate_limited"|"client"|"server"|"decode"|"too_large"|"redirect"|"drift"|"cancelled"|"closed"

--- What every failure raises; `tostring` says what to do.
---@class calira.Error
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

--- Seconds between attempts, with full jitter.
---@class calira.Backoff
---@field base? number
---@field max? number

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
---@class calira.OAuth
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
---@field message? string
---@field verdict? calira.Verdict
---@field report? calira.Report

---@class calira.ClientOptions
---@field base_url? string `https://api.clustermarket.com/v1`
---@field token? string|fun(): string a function is asked again after a 401
---@field oauth? calira.OAuth
---@field timeout? number seconds for one attempt; 60
---@field connect_timeout? number seconds; 10
---@field deadline? number seconds for a call with all its retries and waits; none
---@field retries? integer after the first attempt; 4
---@field backoff? calira.Backoff `{ base = 0.5, max = 30 }`
---@field max_wait? number the longest wait that a server may ask for, in seconds; 60
---@field max_in_flight? integer calls at once; 8
---@field rate? number calls a second; none
---@field lookahead? integer pages asked for ahead of the reader; 4
---@field max_body? integer bytes of a body after decompression; 64 MiB
---@field strict? boolean raise at the end of a list that may be incomplete; true
---@field user_agent? string
---@field proxy? string
---@field ca_file? string
---@field ca_path? string
---@field insecure? boolean no certificate check; false
---@field allow_http? boolean a token over plain http to another machine; false
---@field trace? fun(event: calira.Event)

---@class calira.Stats
---@field calls integer
---@field retries integer
---@field refreshes integer
---@field bytes integer
---@field connections integer opened
---@field waited number seconds, for limits
---@field in_flight integer

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
---@return calira.AccountList|fun(): calira.Account, calira.Node?
function Client:accounts(options) end

--- One account. May wait.
---@param id calira.Id
---@return calira.Account
function Client:account(id) end

--- Bookings that a lab provides, or all labs under an account.
---@param options? calira.BookingsOptions
---@return calira.BookingList|fun(): calira.Booking, calira.Node?
function Client:bookings(options) end

--- One booking. May wait.
---@param id calira.Id
---@return calira.Booking
function Client:booking(id) end

--- Instruments; with an id one of them, which may wait.
---@param options? calira.EquipmentOptions
---@return calira.EquipmentList|fun(): calira.Equipment, calira.Node?
---@overload fun(self: calira.Client, id: calira.Id): calira.Equipment
function Client:equipment(options) end

--- An instrument's bookings.
---@param id calira.Id
---@param options? calira.EquipmentBookingsOptions
---@return calira.EquipmentBookingList|fun(): calira.EquipmentBooking, calira.Node?
function Client:equipment_bookings(id, options) end

--- Projects of an account, or of all under one.
---@param options calira.ProjectsOptions
---@return calira.ProjectList|fun(): calira.Project, calira.Node?
function Client:projects(options) end

--- One project. May wait.
---@param account calira.Id
---@param id calira.Id
---@return calira.Project
function Client:project(account, id) end

--- Groups of a lab, or of all labs under an account.
---@param options? calira.GroupsOptions
---@return calira.GroupList|fun(): calira.Group, calira.Node?
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
---@return calira.List|fun(): table
function Client:list(path, query, options) end

-- ── The module ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

---@class calira
---@field _VERSION string
---@field null lightuserdata a null inside an array
---@field oauth calira.oauth
local calira = {}

--- Organisations, departments and labs.
---@param options? calira.AccountsOptions
---@return calira.AccountList|fun(): calira.Account, calira.Node?
function calira.accounts(options) end

--- One account. May wait.
---@param id calira.Id
---@return calira.Account
function calira.account(id) end

--- Bookings that a lab provides, or all labs under an account.
---@param options? calira.BookingsOptions
---@return calira.BookingList|fun(): calira.Booking, calira.Node?
function calira.bookings(options) end

--- One booking. May wait.
---@param id calira.Id
---@return calira.Booking
function calira.booking(id) end

--- Instruments; with an id one of them, which may wait.
---@param options? calira.EquipmentOptions
---@return calira.EquipmentList|fun(): calira.Equipment, calira.Node?
---@overload fun(id: calira.Id): calira.Equipment
function calira.equipment(options) end

--- An instrument's bookings.
---@param id calira.Id
---@param options? calira.EquipmentBookingsOptions
---@return calira.EquipmentBookingList|fun(): calira.EquipmentBooking, calira.Node?
function calira.equipment_bookings(id, options) end

--- Projects of an account, or of all under one.
---@param options calira.ProjectsOptions
---@return calira.ProjectList|fun(): calira.Project, calira.Node?
function calira.projects(options) end

--- One project. May wait.
---@param account calira.Id
---@param id calira.Id
---@return calira.Project
function calira.project(account, id) end

--- Groups of a lab, or of all labs under an account.
---@param options? calira.GroupsOptions
---@return calira.GroupList|fun(): calira.Group, calira.Node?
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
---@return calira.List|fun(): table
function calira.list(path, query, options) end

--- What the default client has done so far.
---@return calira.Stats
function calira.stats() end

--- Cancels everything of the default client.
function calira.close() end

--- A client; reads no token from the environment.
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

--- How many seconds of a booking lie from `from` to `to`.
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
---@return calira.Generator|fun(): any
function calira.generator(f) end

--- The descriptor to poll: readable when there is something to do.
---@return integer
function calira.pollfd() end

--- What to poll it for, as cqueues names it.
---@return string
function calira.events() end

--- Seconds after which to come back at the latest; nil: none.
---@return number?
function calira.timeout() end

--- Does what is due, waiting so long for it (0: not at all); returns whether anything is left.
---@param seconds? number
---@return boolean
function calira.step(seconds) end

---@class calira.AuthorizeOptions
---@field client_id string
---@field redirect_uri string
---@field scopes? string[]
---@field state? string
---@field code_challenge? string PKCE, method S256
---@field url? string

---@class calira.ExchangeOptions
---@field code string
---@field client_id string
---@field client_secret? string
---@field redirect_uri string
---@field code_verifier? string
---@field token_url? string

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

---@class calira.PostgresStoreOptions
---@field dsn string where the database is: `postgresql://…`, or `host=… dbname=…`
---@field name? string of the grant's row; `default` without it

--- A store in a row of PostgreSQL, locked between machines. Needs LuaSQL's driver for PostgreSQL (Debian: lua-sql-postgres).
---@param options calira.PostgresStoreOptions
---@return calira.Store
function calira.oauth.postgres_store(options) end

return calira
