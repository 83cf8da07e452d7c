// Imported first by every script, for its effect: on an old Node the reader gets this line, not a syntax error from deep inside.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`rivulet: Node ${process.versions.node} is too old; Node 20.19 or newer is needed.\n`);
  process.exit(1);
}
