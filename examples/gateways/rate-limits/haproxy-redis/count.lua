-- Counts the calls of a client in windows of fixed length, in a Redis: one key for each client and window, which Redis
-- forgets with the window. Leaves txn.calls (how many, with this one) and txn.over ("yes" beyond the limit).

local SECONDS = 1

local function command(...)
  local words = { ... }
  local lines = { "*" .. #words .. "\r\n" }
  for _, word in ipairs(words) do
    lines[#lines + 1] = "$" .. #word .. "\r\n" .. word .. "\r\n"
  end
  return table.concat(lines)
end

-- How many calls there have been in this window; nil without an answer.
local function counted(key, window)
  local store = core.tcp()
  store:settimeout(SECONDS)
  if not store:connect(os.getenv("STORE_HOST"), tonumber(os.getenv("STORE_PORT"))) then
    return nil
  end
  store:send(command("INCR", key) .. command("EXPIRE", key, tostring(window)))
  local answer = store:receive("*l")
  store:close()
  return answer and tonumber(answer:match("^:(%d+)"))
end

local function count(txn)
  local limit = tonumber(txn.f:req_fhdr("x-ratelimit-limit"))
  local window = tonumber(txn.f:req_fhdr("x-ratelimit-window"))
  if not limit or not window then
    return
  end
  local number = math.floor(os.time() / window)
  -- The limit of a plan is for one Api: where several share a Redis, put its name into the key.
  local calls = counted("calls:" .. txn.f:req_fhdr("x-client-id") .. ":" .. window .. ":" .. number, window)
  if calls then
    txn:set_var("txn.calls", calls)
    txn:set_var("txn.over", calls > limit and "yes" or "no")
  end
end

core.register_action("count", { "http-req" }, count, 0)
