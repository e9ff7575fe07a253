-- Asks staff for a name and a password (Basic), and bounds how fast anybody can guess one.
--
-- Names and hashes are those of /run/secrets/proxy/staff, read at each request: a change holds at once. Hashing takes
-- milliseconds of a worker that the public needs too, so it is done once for an account and then remembered as a
-- keyed digest, and at most CHECKS_PER_S times a second for all clients together. A name that does not exist costs as
-- much time as one that does. After GUESSES wrong passwords an address is refused until LOCKOUT_S have passed since the
-- first; what has been checked before is let in meanwhile, so that nobody can lock out those who work.
local ffi = require "ffi"
ffi.cdef [[ char *crypt(const char *phrase, const char *setting); ]]
local libcrypt = ffi.load("libcrypt.so.1")

local STAFF = "/run/secrets/proxy/staff"
local GUESSES, CHECKS_PER_S, REMEMBERED_S = 10, 10, 3600
local LOCKOUT_S = tonumber(os.getenv("LOCKOUT_S")) or 900
-- Of no password: what a name that does not exist is compared with. As costly as those of add-staff.sh.
local NOBODY = "$6$nobodynobodynobo$" .. ("."):rep(86)

local M = {}
local known, guesses = ngx.shared.known_passwords, ngx.shared.password_guesses
local file = assert(io.open("/dev/urandom", "rb"))
local key = file:read(32)
file:close()

local function digest(text)
    return ngx.hmac_sha1(key, text)
end

local function hash_of(name)
    local hash
    for line in io.lines(STAFF) do
        if line:sub(1, #name + 1) == name .. ":" then hash = line:sub(#name + 2) end
    end
    return hash
end

-- An IPv6 network of one subscriber counts as one client.
local function client()
    local address = ngx.var.binary_remote_addr
    return #address == 16 and address:sub(1, 8) or address
end

local function ask()
    ngx.header["WWW-Authenticate"] = 'Basic realm="Staff", charset="UTF-8"'
    return ngx.exit(ngx.HTTP_UNAUTHORIZED)
end

local function wait(seconds)
    ngx.header["Retry-After"] = math.max(1, math.ceil(seconds or 1))
    return ngx.exit(ngx.HTTP_TOO_MANY_REQUESTS)
end

function M.check()
    local scheme, encoded = (ngx.var.http_authorization or ""):match("^(%a+) +([%w+/=]+)$")
    local name, password = (scheme and scheme:lower() == "basic" and ngx.decode_base64(encoded) or "")
        :match("^([%w._@-]+):(.*)$")
    if not name or password:find("%z") then return ask() end

    local hash = hash_of(name)
    local credentials = digest(table.concat({ name, password, hash or "" }, "\0"))
    if hash and known:get(credentials) then
        known:expire(credentials, REMEMBERED_S)
        return
    end

    local address = client()
    if guesses:incr(address, 1, 0, LOCKOUT_S) > GUESSES then
        if guesses:get(address) == GUESSES + 1 then
            ngx.log(ngx.WARN, GUESSES, " wrong passwords: refused for ", guesses:ttl(address), " s")
        end
        return wait(guesses:ttl(address))
    end
    if guesses:incr("checks" .. ngx.time(), 1, 0, 2) > CHECKS_PER_S then
        guesses:incr(address, -1)
        return wait(1)
    end
    local found = ffi.string(libcrypt.crypt(password, hash or NOBODY))
    if digest(found) ~= digest(hash or NOBODY) or not hash then return ask() end
    guesses:incr(address, -1)
    known:set(credentials, true, REMEMBERED_S)
end

-- Orthanc's Python plugin cannot read bytes beyond ASCII in a header.
function M.refuse_foreign_bytes()
    for name, value in pairs(ngx.req.get_headers(0, true)) do
        for _, one in ipairs(type(value) == "table" and value or { value }) do
            if (name .. tostring(one)):find("[^\t\32-\126]") then return ngx.exit(ngx.HTTP_BAD_REQUEST) end
        end
    end
end

return M
