-- Only the prologue: is this the Redis that the caller knows?
return {'pong', 0}
