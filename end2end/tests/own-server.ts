// A server of a test's own, with a configuration of its own.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { env } from "./fixtures";

export class OwnServer {
  /** Where its pages are, without a slash at the end. */
  url = "";
  private log = "";

  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(config: string): Promise<OwnServer> {
    const folder = mkdtempSync(join(tmpdir(), "flowdeck-own-"));
    const file = join(folder, "flowdeck.toml");
    writeFileSync(file, config);
    const args = ["serve", "--config", file, "--listen", "127.0.0.1:0"];
    const child = spawn(env.server, args, { stdio: ["ignore", "pipe", "pipe"] });
    const server = new OwnServer(child, folder);
    child.stderr!.on("data", (data) => (server.log += String(data)));
    for await (const line of createInterface({ input: child.stdout! })) {
      const found = /^Flowdeck: (\S+)/.exec(line);
      if (found) {
        server.url = found[1]!;
        return server;
      }
    }
    throw new Error(`the server did not start: ${server.log}`);
  }

  get stderr(): string {
    return this.log;
  }

  /** Megabytes of memory that it holds, as Linux tells. */
  megabytes(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, "utf8");
    return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((resolve) => this.child.once("exit", resolve));
      this.child.kill("SIGTERM");
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
