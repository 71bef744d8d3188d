// Unpacks the Chromium of @sparticuz/chromium below TMPDIR, where that package puts things,
// with the libraries that it carries for bare machines. A process of its own, since it reads TMPDIR from the environment.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import chromium, { inflate } from '@sparticuz/chromium';

const packed = join(fileURLToPath(import.meta.resolve('@sparticuz/chromium')), '../../bin');
await inflate(join(packed, 'al2023.tar.br'));
await chromium.executablePath(packed);
