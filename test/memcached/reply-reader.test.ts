import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Reply, ReplyReader } from "../../src/memcached/connection/reply-reader.js";

const stream = [
  "HD\r\n",
  "VA 16 c42\r\n1000000000000001\r\n",
  "EN\r\n",
  "VA 0 c7\r\n\r\n",
  "VA 9 c1\r\nEND\r\nVA 2\r\n",
  "VALUE key 0 5 99\r\nhello\r\nEND\r\n",
  "VALUE key 0 3 1\r\nEND\r\nEND\r\n",
  "END\r\n",
  "1000000000000007\r\n",
  "NOT_FOUND\r\n",
  "SERVER_ERROR out of memory storing object\r\n",
  "CLIENT_ERROR bad command line format\r\n",
  "ERROR\r\n",
];

const expected: Partial<Reply>[] = [
  { status: "HD", line: "HD", text: undefined },
  { status: "VA", line: "VA 16 c42", text: "1000000000000001" },
  { status: "EN", line: "EN", text: undefined },
  { status: "VA", line: "VA 0 c7", text: "" },
  { status: "VA", line: "VA 9 c1", text: "END\r\nVA 2" },
  { status: "VALUE", line: "VALUE key 0 5 99", text: "hello" },
  { status: "VALUE", line: "VALUE key 0 3 1", text: "END" },
  { status: "END", line: "END", text: undefined },
  { status: "1000000000000007", line: "1000000000000007", text: undefined },
  { status: "NOT_FOUND", line: "NOT_FOUND", text: undefined },
  {
    status: "SERVER_ERROR",
    line: "SERVER_ERROR out of memory storing object",
    text: undefined,
  },
  { status: "CLIENT_ERROR", line: "CLIENT_ERROR bad command line format", text: undefined },
  { status: "ERROR", line: "ERROR", text: undefined },
];

/** Every chunk arrives in the same memory, as it does from a connection. */
function read(chunks: readonly string[]): Partial<Reply>[] {
  const replies: Partial<Reply>[] = [];
  const reader = new ReplyReader(({ status, line, text }) => replies.push({ status, line, text }));
  const memory = Buffer.alloc(4096);
  for (const chunk of chunks) reader.push(memory.subarray(0, memory.write(chunk, "latin1")));
  return replies;
}

describe("ReplyReader", () => {
  it.each([
    ["VA 16 c42\r\n1000000000000001\r\n", { number: 1_000_000_000_000_001, cas: 42, isError: false }],
    ["VA 1 c99999999999999999999\r\n7\r\n", { number: 7, cas: 0, isError: false }],
    ["VA 1\r\n7\r\n", { number: 7, cas: 0, isError: false }],
    ["VA 2 c1\r\n7 \r\n", { number: Number.NaN, cas: 1, isError: false }],
    ["VA 0 c1\r\n\r\n", { number: Number.NaN, cas: 1, isError: false }],
    ["9000000000000001\r\n", { number: 9_000_000_000_000_001, cas: 0, isError: false }],
    ["NOT_FOUND\r\n", { number: Number.NaN, cas: 0, isError: false }],
    ["STORED\r\n", { number: Number.NaN, cas: 0, isError: false }],
    ["ERROR\r\n", { number: Number.NaN, cas: 0, isError: true }],
    ["CLIENT_ERROR bad\r\n", { number: Number.NaN, cas: 0, isError: true }],
    ["SERVER_ERROR out of memory\r\n", { number: Number.NaN, cas: 0, isError: true }],
  ])("reads the numbers of %j", (answer, expectedNumbers) => {
    const read: unknown[] = [];
    const reader = new ReplyReader(({ number, cas, isError }) => read.push({ number, cas, isError }));
    reader.push(Buffer.from(answer));
    expect(read).toEqual([expectedNumbers]);
  });

  it("takes a value without a size for a line", () => {
    expect(read(["VALUE key 0 x 1\r\nEND\r\n"]).map(({ line }) => line)).toEqual(["VALUE key 0 x 1", "END"]);
  });

  it("drops a value that is cut short by an error", () => {
    const cut = "VALUE key 0 5 99\r\nhello\r\nSERVER_ERROR out of memory\r\nEN\r\n";
    expect(read([cut]).map(({ status }) => status)).toEqual(["SERVER_ERROR", "EN"]);
    expect(read([...cut]).map(({ status }) => status)).toEqual(["SERVER_ERROR", "EN"]);
  });

  it("reads all answers that arrive merged", () => {
    expect(read([stream.join("")])).toEqual(expected);
  });

  it("reads answers that arrive byte by byte", () => {
    expect(read([...stream.join("")])).toEqual(expected);
  });

  it("reads answers however they are cut", () => {
    const bytes = stream.join("");
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 })), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const chunks = places.slice(1).map((end, i) => bytes.slice(places[i], end));
        expect(read(chunks)).toEqual(expected);
      }),
    );
  });
});
