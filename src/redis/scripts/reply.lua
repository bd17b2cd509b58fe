if math.tointeger then
  for i = 1, #reply do reply[i] = math.tointeger(reply[i]) end
end
return reply
