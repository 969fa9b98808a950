process.stderr.write('REDIS_URL is missing\n')
process.exit(3)
