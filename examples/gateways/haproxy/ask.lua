-- Asks apiclient-gate whether a call may pass: the token and the request id, and nothing else of the call.
-- Leaves the verdict in txn.verdict (a status, 503 where there was no answer) and what the gate said in txn.x_... .

-- More than the two tries of the way to the gates take.
local MILLISECONDS = 5000

-- The gate's headers that the API is given. All are always there; an empty one means nothing.
local FOR_THE_API = {
  "x-client-id", "x-client-scope", "x-client-plan", "x-ratelimit-limit", "x-ratelimit-window", "x-token-expires",
}

local function first(headers, name)
  local values = headers and headers[name]
  return values and values[0] or ""
end

local function ask(txn)
  local sent = txn.http:req_get_headers()
  local question = { ["x-request-id"] = { [0] = first(sent, "x-request-id") } }
  if sent["authorization"] then
    -- All of them, as they came: which of two counts is not for the gateway to say.
    question["authorization"] = sent["authorization"]
  end

  local answer = core.httpclient():get({ url = os.getenv("ASK"), headers = question, timeout = MILLISECONDS })

  local verdict = answer and answer.status or 0
  local known = verdict == 200 or verdict == 401 or verdict == 403 or verdict == 410
  txn:set_var("txn.verdict", tostring(known and verdict or 503))
  txn:set_var("txn.challenge", first(answer and answer.headers, "www-authenticate"))
  for _, name in ipairs(FOR_THE_API) do
    txn:set_var("txn." .. name:gsub("-", "_"), first(answer and answer.headers, name))
  end
end

core.register_action("ask_the_gate", { "http-req" }, ask, 0)
