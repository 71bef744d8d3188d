import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const lookEveryMs = 2000;
/** So long a body may take its time; from then on it must come at `leastBytesPerSecond`. */
const patienceSeconds = 10;
const leastBytesPerSecond = 1024;

/**
 * Cuts whoever takes nothing of an answer that is ready for them. While an answer waits in a connection's buffer, Node's own
 * timeout of the socket runs: it begins anew with every byte that goes out. It must not run at other times, when the
 * connection is still because our database works. One look at all connections every two seconds costs requests nothing.
 */
export function cutSlowReaders(server: Server, seconds: number): void {
  const sockets = new Set<Socket>();
  const watched = new WeakSet<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const look = (): void => {
    for (const socket of sockets) {
      const isWaiting = socket.writableLength > 0;
      if (isWaiting === watched.has(socket)) continue;
      if (isWaiting) watched.add(socket);
      else watched.delete(socket);
      // An answer that has been sent meanwhile has given way to the timeout of idle connections, which stays.
      if (isWaiting || socket.timeout === seconds * 1000) socket.setTimeout(isWaiting ? seconds * 1000 : 0);
    }
  };
  const timer = setInterval(look, lookEveryMs).unref();
  server.once('close', () => clearInterval(timer));
}

/** Watches that a body arrives; `late` is called once when it is too slow. Gives the function that ends the watch. */
export function watchPace(received: () => number, wholeSeconds: number, late: () => void): () => void {
  let seconds = 0;
  const timer = setInterval(() => {
    seconds += 1;
    if (seconds < wholeSeconds && received() >= (seconds - patienceSeconds) * leastBytesPerSecond) return;
    clearInterval(timer);
    late();
  }, 1000);
  return () => clearInterval(timer);
}
