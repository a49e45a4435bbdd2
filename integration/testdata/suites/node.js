// What an engine of events does with threads, processes, sockets and signals.
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const child = require('child_process');
const cluster = require('cluster');
const fs = require('fs');
const http = require('http');
const net = require('net');
const { once } = require('events');
const { promisify } = require('util');

if (!isMainThread) {
	let n = 0;
	for (let i = 0; i <= workerData; i++) n += i;
	parentPort.postMessage(n);
} else if (!cluster.isPrimary) {
	http.createServer((q, r) => r.end(String(process.pid))).listen(process.env.SOCKET);
} else if (process.argv[2] === 'child') {
	process.on('message', m => { process.send(m * 2); process.disconnect(); });
} else if (process.argv[2] === 'signals') {
	process.on('SIGTERM', () => { console.log('term'); process.exit(5); });
	process.on('SIGUSR2', () => console.log('usr2'));
	console.log('ready');
	setInterval(() => {}, 1000);
} else {
	main();
}

async function check(name, step) {
	try {
		console.log(`${await step() ? 'pass' : 'fail'} ${name}`);
	} catch (e) {
		console.log(`fail ${name}: ${e}`);
	}
}

function get(options) {
	return new Promise((resolve, reject) => {
		http.get(options, r => {
			let text = '';
			r.on('data', d => text += d).on('end', () => resolve(text));
		}).on('error', reject);
	});
}

async function main() {
	const exec = promisify(child.exec);
	await check('workers', async () => {
		const all = [];
		for (let i = 0; i < 12; i++) all.push(once(new Worker(__filename, { workerData: 1000 * i }), 'message'));
		return (await Promise.all(all)).every(([n], i) => n === 1000 * i * (1000 * i + 1) / 2);
	});
	await check('exec', async () => {
		const all = [];
		for (let i = 0; i < 20; i++) all.push(exec(`echo ${i}`));
		return (await Promise.all(all)).every((r, i) => r.stdout === `${i}\n`);
	});
	await check('sync', () => child.spawnSync('sh', ['-c', 'cat; exit 3'], { input: 'text' }).status === 3);
	await check('missing', async () => {
		const [e] = await once(child.spawn('no-such-command'), 'error');
		return e.code === 'ENOENT';
	});
	await check('kill', async () => {
		const p = child.spawn('sleep', ['1000']);
		p.kill('SIGKILL');
		const [code, signal] = await once(p, 'exit');
		return code === null && signal === 'SIGKILL';
	});
	await check('timeout', () => child.spawnSync('sleep', ['1000'], { timeout: 100 }).error.code === 'ETIMEDOUT');
	await check('fork', async () => {
		const p = child.fork(__filename, ['child']);
		p.send(21);
		const [m] = await once(p, 'message');
		const [code] = await once(p, 'exit');
		return m === 42 && code === 0;
	});
	await check('signals', async () => {
		const p = child.spawn(process.execPath, [__filename, 'signals']);
		let text = '';
		const said = async s => { while (!text.includes(s)) text += (await once(p.stdout, 'data'))[0]; };
		await said('ready');
		p.kill('SIGUSR2');
		await said('usr2');
		p.kill('SIGTERM');
		const [code] = await once(p, 'exit');
		return code === 5;
	});
	await check('http', async () => {
		const server = http.createServer((q, r) => fs.createReadStream(__filename).pipe(r)).listen(0, '127.0.0.1');
		await once(server, 'listening');
		const all = [];
		for (let i = 0; i < 200; i++) all.push(get({ port: server.address().port, host: '127.0.0.1' }));
		const want = fs.readFileSync(__filename, 'utf8');
		const good = (await Promise.all(all)).every(s => s === want);
		server.close();
		return good;
	});
	await check('cluster', async () => {
		const socket = `${process.cwd()}/cluster`;
		const workers = [1, 2, 3].map(() => cluster.fork({ SOCKET: socket }));
		await Promise.all(workers.map(w => once(w, 'listening')));
		const seen = new Set();
		for (let i = 0; i < 30; i++) seen.add(await get({ socketPath: socket, agent: false }));
		const ends = workers.map(w => once(w, 'exit'));
		for (const w of workers) w.process.kill();
		await Promise.all(ends);
		return seen.size === 3;
	});
	await check('files', async () => {
		const names = [...Array(200).keys()].map(i => `file${i}`);
		await Promise.all(names.map(n => fs.promises.writeFile(n, n.repeat(1000))));
		const texts = await Promise.all(names.map(n => fs.promises.readFile(n, 'utf8')));
		await Promise.all(names.map(n => fs.promises.unlink(n)));
		return texts.every((s, i) => s === names[i].repeat(1000));
	});
	await check('watch', async () => {
		const w = fs.watch('.');
		const event = once(w, 'change');
		fs.writeFileSync('watched', 'x');
		const [, name] = await event;
		w.close();
		return name === 'watched';
	});
	await check('refused', async () => {
		const server = net.createServer().listen(0, '127.0.0.1');
		await once(server, 'listening');
		const { port } = server.address();
		server.close();
		await once(server, 'close');
		const [e] = await once(net.connect(port, '127.0.0.1'), 'error');
		return e.code === 'ECONNREFUSED';
	});
}
