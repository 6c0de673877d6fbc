# The host's key for secret versions, made when there is none.
lock
secret_key
