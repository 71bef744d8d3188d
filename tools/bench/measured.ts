import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { table } from '../docs/markdown.ts';
import type { Section } from './stack.ts';

/** A page of which each section is measured by itself, and stands until it is measured again. */
export interface MeasuredPage {
  readonly file: string;
  readonly head: string;
  /** In their order. */
  readonly sections: readonly string[];
}

export function render({ title, about, head, rows }: Section): string {
  return `## ${title}\n\n${about}\n\n${table(head, rows)}`;
}

/** When and where it was measured. Who shares the machine sees it by the load: on a quiet one it is near 0. */
export function surroundings(busyBefore: number, placement: string): string {
  const cpu = cpus()[0]!.model.trim();
  const machine = `${platform()} ${arch()}, ${cpus().length} × ${cpu}, ${Math.round(totalmem() / 1024 ** 3)} GB`;
  return `*${new Date().toISOString().slice(0, 10)}, ${machine}, Node ${process.versions.node}, PostgreSQL 18 with durability on, load before the start ${busyBefore.toFixed(1)}. ${placement}*`;
}

/** Replaces one section of the page, and leaves the others as they were measured. */
export function keepSection({ file, head, sections }: MeasuredPage, name: string, text: string): void {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const kept = new Map([...before.matchAll(/<!-- ([\w-]+) -->\n\n([^]*?)(?=\n<!-- |$)/g)].map((match) => [match[1]!, match[2]!.trim()]));
  kept.set(name, text);
  const texts = sections.flatMap((known) => (kept.has(known) ? [`<!-- ${known} -->\n\n${kept.get(known)}\n`] : []));
  writeFileSync(file, [head, ...texts].join('\n'));
}
