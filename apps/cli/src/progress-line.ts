/** Says a last word when the person leaves; gives what takes it back. */
export function onInterrupt(word: string): () => void {
  const leave = (): void => {
    endLine();
    console.log(word);
    process.exit(130);
  };
  process.once('SIGINT', leave);
  return () => void process.off('SIGINT', leave);
}

/** A number as people read it. */
export function count(number: number): string {
  return Math.round(number).toLocaleString('en');
}

/** How full something is, from 0 to 1. */
export function bar(part: number): string {
  const width = 24;
  const full = Math.round(Math.min(1, Math.max(0, part)) * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${Math.floor(Math.min(1, part) * 100).toString().padStart(3)} %`;
}

/** A line that is written over in a terminal; elsewhere progress would only fill a log. */
export function show(line: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${line}`);
}

/** Leaves the line that `show` wrote. */
export function endLine(): void {
  if (process.stdout.isTTY) process.stdout.write('\n');
}
