import { scramVerifier } from './scram.ts';

describe('a SCRAM verifier', () => {
  it('is what PostgreSQL stores for the same password, salt and iterations', () => {
    // Made by PostgreSQL 18: create role r password 'pencil'; select rolpassword from pg_authid.
    const stored = 'SCRAM-SHA-256$4096:ZzzfdgQd5hggoWoexfVLuQ==$PGNCaA0rCYAX9RoMcLMNAKaZfSLkOD+6t1C2EBGeCZs=:9dH1JLtpK2ulh3d2SF0KU/uLdndBAI8i2FiBXSeRZyc=';
    const salt = Buffer.from(/:([^$]+)\$/.exec(stored)![1]!, 'base64');
    expect(scramVerifier('pencil', salt)).toBe(stored);
  });

  it('differs each time, since its salt does', () => {
    expect(scramVerifier('pencil')).not.toBe(scramVerifier('pencil'));
  });
});
