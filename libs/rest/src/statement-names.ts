/** How many texts are remembered. Rare ones run unnamed, which costs a parse and nothing else. */
const mostTexts = 1000;

/**
 * Names for statements that come again, so that each connection prepares them once. A name belongs to one text for good:
 * a counter gives it, and when a text is forgotten its name is never used again.
 */
export class StatementNames {
  private readonly names = new Map<string, string | null>();
  private count = 0;

  /** The name of a text seen before; null on its first coming, since many texts never come again. */
  of(text: string): string | null {
    const known = this.names.get(text);
    if (known === undefined) {
      this.forgetOldest();
      this.names.set(text, null);
      return null;
    }
    if (known !== null) return known;
    const name = `rest_${(this.count += 1)}`;
    this.names.delete(text);
    this.names.set(text, name);
    return name;
  }

  private forgetOldest(): void {
    if (this.names.size < mostTexts) return;
    this.names.delete(this.names.keys().next().value as string);
  }
}
