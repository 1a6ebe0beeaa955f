# Plays the round with Ruby's xmlrpc/client: round.rb ROUND PORT USER PASSWORD.

require "json"
require "xmlrpc/client"

def connect(port, user, password)
  XMLRPC::Client.new("127.0.0.1", "/RPC2", port, nil, nil, user, password)
end

def argument(value)
  value.is_a?(Hash) && value.key?("base64") ? XMLRPC::Base64.new(value["base64"]) : value
end

def answer(client, step)
  { value: client.call(step["call"], *step.fetch("with", []).map { |value| argument(value) }) }
rescue XMLRPC::FaultException => fault
  { fault: fault.faultCode, text: fault.faultString }
end

def play(client, step)
  last = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 30
  loop do
    told = answer(client, step)
    found = told[:value].to_s.include?(step.fetch("until", ""))
    return told if found || Process.clock_gettime(Process::CLOCK_MONOTONIC) > last

    sleep 0.02
  end
end

path, port, user, password = ARGV
begin
  connect(port, user, "wrong").call("supervisor.getState")
rescue RuntimeError => error
  puts JSON.generate({ title: "a wrong password", told: error.message })
end
client = connect(port, user, password)
JSON.parse(File.read(path, encoding: "UTF-8")).each do |step|
  puts JSON.generate({ title: step["title"], told: play(client, step) })
end
