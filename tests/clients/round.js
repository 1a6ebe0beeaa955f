// Plays the round with clients for Node.js: round.js ROUND MODULES xmlrpc | node-supervisord PORT USER PASSWORD.

const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');

const [, , round, modules, library, port, user, password] = process.argv;
const peer = require(path.join(modules, library));

function connect(password) {
  if (library === 'node-supervisord') {
    const client = new peer.SupervisordClient(`127.0.0.1:${port}`, { username: user, password });
    return async (method, params) => {
      const name = method.split('.').pop();
      return name in client ? client[name](...params) : 'not offered';
    };
  }
  const client = peer.createClient({
    host: '127.0.0.1', port, path: '/RPC2', basic_auth: { user, pass: password },
  });
  return (method, params) => new Promise((resolve, reject) => {
    client.methodCall(method, params, (error, value) => (error ? reject(error) : resolve(value)));
  });
}

function argument(value) {
  return value?.base64 === undefined ? value : Buffer.from(value.base64);
}

async function answer(call, step) {
  try {
    return { value: await call(step.call, (step.with ?? []).map(argument)) };
  } catch (error) {
    return { fault: error.faultCode, text: error.faultString ?? error.message };
  }
}

async function play(call, step) {
  const end = performance.now() + 30000;
  for (;;) {
    const told = await answer(call, step);
    if (String(told.value).includes(step.until ?? '') || performance.now() > end) return told;
    await pause(20);
  }
}

async function main() {
  const tell = (title, told) => console.log(JSON.stringify({ title, told }));
  const refused = await connect('wrong')('supervisor.getState', []).catch((error) => error.res?.statusCode);
  tell('a wrong password', refused);
  const call = connect(password);
  for (const step of JSON.parse(fs.readFileSync(round, 'utf8'))) tell(step.title, await play(call, step));
}

main();
