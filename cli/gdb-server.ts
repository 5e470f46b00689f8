/** Waits on a local port for gdb, one at a time. */

import { createServer, type Server, type Socket } from "node:net";
import { GdbSession } from "../debug/gdb/session.ts";
import type { Target } from "../debug/target.ts";
import { CommandError } from "./command-error.ts";

export class GdbServer {
  private socket: Socket | undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: Target,
    private readonly say: (text: string) => void,
  ) {
    server.on("connection", (socket) => this.connected(socket));
  }

  /**
   * @param say prints a line of ours
   * @throws CommandError if the port cannot be had
   */
  static async listen(port: number, target: Target, say: (text: string) => void): Promise<GdbServer> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        const why =
          error.code === "EADDRINUSE" ? "is in use; choose another" : `cannot be used: ${error.message}`;
        reject(new CommandError(`--gdb: port ${port} ${why}`));
      });
      server.listen(port, "127.0.0.1", resolve);
    });
    const address = server.address();
    const actual = typeof address === "object" && address !== null ? address.port : port;
    say(`osv-vm: waiting for gdb: target remote :${actual}`);
    return new GdbServer(server, target, say);
  }

  private connected(socket: Socket): void {
    socket.on("error", () => {});
    if (this.socket !== undefined) {
      socket.destroy(); // one is enough
      return;
    }
    const session = new GdbSession(
      this.target,
      (bytes) => socket.write(bytes),
      () => socket.end(),
    );
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => session.receive(bytes));
    socket.on("close", () => {
      session.disconnected();
      this.socket = undefined;
      if (!this.target.isRunning && this.server.listening)
        this.say("osv-vm: gdb is gone; waiting for another");
    });
  }

  /** Everything is said: what was sent arrives before we end. */
  async close(): Promise<void> {
    const { socket, server } = this;
    server.close();
    if (socket === undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LINGER_MS);
      socket.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      socket.end();
    });
    socket.destroy();
  }
}

/** How long gdb may take to hang up. */
const LINGER_MS = 500;
