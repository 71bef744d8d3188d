export { AuthModule } from './auth.module.ts';
export { CallerFault, type CallerFaultReason } from './caller-fault.ts';
export { askedCredentials, callerStrategy } from './caller.strategy.ts';
export { Callers, type Credentials } from './callers.ts';
export { authFaults, fault as authFault, type AuthFaultCode } from './faults.ts';
export { Keyring } from './keyring.ts';
export { makeSecrets } from './make-secrets.ts';
