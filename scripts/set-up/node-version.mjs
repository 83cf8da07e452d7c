// Every script imports this file first. On an old Node it prints one clear line, where later imports would cause a syntax error.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`rivulet: Node ${process.versions.node} is too old; Node 20.19 or newer is needed.\n`);
  process.exit(1);
}
