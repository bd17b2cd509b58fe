/** The smallest block, in doubles; each size is twice the one before. */
const SMALLEST_BLOCK = 8;

/** Small blocks share an array of so many doubles. */
const CHUNK_LENGTH = 1024;

/** A reference is the block's number in its size times this, plus the size's number: below 2^32. */
const SIZES = 32;

const NONE = -1;

/** Blocks of one size. The free ones form a list through their own first number. */
interface BlockSize {
  readonly blockLength: number;
  readonly blocksPerChunk: number;
  chunks: Float64Array[];
  made: number;
  live: number;
  firstFree: number;
}

/**
 * Room for state that does not fit into a slot: blocks of 8, 16, 32, … doubles in shared arrays.
 *
 * A block is a number, so a slot can hold it. Arrays of small blocks go when the last block of their size is
 * free; a block of 1,024 doubles or more has an array to itself, which goes with it.
 */
export class BlockArena {
  #sizes: BlockSize[] = [];
  #bytes = 0;

  /** Bytes of all arrays. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A block of at least so many doubles. What is in it is anything. */
  take(length: number): number {
    const number = Math.max(0, Math.ceil(Math.log2(length / SMALLEST_BLOCK)));
    const size = this.#size(number);
    size.live++;
    const isReused = size.firstFree !== NONE;
    const index = isReused ? size.firstFree : size.made++;
    const block = index * SIZES + number;
    if (isReused) size.firstFree = this.arrayOf(block)[this.offsetOf(block)] ?? NONE;
    const chunk = Math.floor(index / size.blocksPerChunk);
    const chunkLength = size.blockLength * size.blocksPerChunk;
    if (size.chunks[chunk]?.length !== chunkLength) this.#replace(size, chunk, chunkLength);
    return block;
  }

  /** Gives a block back. */
  give(block: number): void {
    const size = this.#size(block % SIZES);
    const index = Math.floor(block / SIZES);
    if (--size.live === 0) {
      for (const chunk of size.chunks) this.#bytes -= chunk.byteLength;
      Object.assign(size, { chunks: [], made: 0, firstFree: NONE });
      return;
    }
    if (size.blocksPerChunk === 1) this.#replace(size, index, 1);
    this.arrayOf(block)[this.offsetOf(block)] = size.firstFree;
    size.firstFree = index;
  }

  /** The array in which a block lies. */
  arrayOf(block: number): Float64Array {
    const { chunks, blocksPerChunk } = this.#size(block % SIZES);
    const chunk = chunks[Math.floor(Math.floor(block / SIZES) / blocksPerChunk)];
    if (chunk === undefined) throw new RangeError(`There is no block ${block}.`);
    return chunk;
  }

  /** Where in its array a block begins. */
  offsetOf(block: number): number {
    const { blocksPerChunk, blockLength } = this.#size(block % SIZES);
    return (Math.floor(block / SIZES) % blocksPerChunk) * blockLength;
  }

  /** How many doubles a block has. */
  lengthOf(block: number): number {
    return this.#size(block % SIZES).blockLength;
  }

  clear(): void {
    this.#sizes = [];
    this.#bytes = 0;
  }

  #size(number: number): BlockSize {
    for (let i = this.#sizes.length; i <= number; i++) {
      const blockLength = SMALLEST_BLOCK * 2 ** i;
      const blocksPerChunk = Math.max(1, CHUNK_LENGTH / blockLength);
      this.#sizes.push({ blockLength, blocksPerChunk, chunks: [], made: 0, live: 0, firstFree: NONE });
    }
    const size = this.#sizes[number];
    if (size === undefined) throw new RangeError(`There is no block size ${number}.`);
    return size;
  }

  #replace(size: BlockSize, chunk: number, length: number): void {
    const array = new Float64Array(length);
    this.#bytes += array.byteLength - (size.chunks[chunk]?.byteLength ?? 0);
    size.chunks[chunk] = array;
  }
}
