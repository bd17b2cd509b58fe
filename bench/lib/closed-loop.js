// A load as wrk makes it, for less than a second at a time: connections that each ask again as soon as they are answered.
import { once } from "node:events";
import { connect } from "node:net";

const REQUEST = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n";
const END = Buffer.from("\r\n\r\nok");

/** Opens so many connections to a server that answers "ok". */
export async function openLoad(port, count) {
  let [until, answered, busy] = [0, 0, 0];
  let wake = () => {};

  const ask = (socket) => socket.write(REQUEST);
  const rest = () => {
    if (--busy === 0) wake();
  };
  const open = async () => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", (error) => {
      throw error;
    });
    await once(socket, "connect");
    socket.setNoDelay();
    let tail = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      tail = chunk.length < END.length ? Buffer.concat([tail, chunk]) : chunk;
      if (!tail.subarray(-END.length).equals(END)) return;
      answered++;
      if (performance.now() < until) ask(socket);
      else rest();
    });
    return socket;
  };
  const sockets = await Promise.all(Array.from({ length: count }, open));

  return {
    /** Asks for so long; gives the number of answers when the last of them is there. */
    async run(ms) {
      [until, answered, busy] = [performance.now() + ms, 0, count];
      const rested = new Promise((resolve) => {
        wake = resolve;
      });
      for (const socket of sockets) ask(socket);
      await rested;
      return answered;
    },
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
