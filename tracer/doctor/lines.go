package doctor

// Lines of the three ways to describe a container.

func lines(docker, kubernetes, ecs string) []Line {
	var list []Line
	for _, l := range []Line{{"docker", docker}, {"kubernetes", kubernetes}, {"ecs", ecs}} {
		if l.Add != "" {
			list = append(list, l)
		}
	}
	return list
}

// addPtrace adds CAP_SYS_PTRACE. Engines give added capabilities to root only, and
// their default profiles let who has this one make the calls that it is about.
// Fargate knows no other capability to add.
func addPtrace(f *Facts) []Line {
	if f.UID != 0 {
		return lines(
			"--user 0 --cap-add SYS_PTRACE",
			"securityContext: {runAsUser: 0, capabilities: {add: [SYS_PTRACE]}}",
			`"user": "0", "linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"]}}`)
	}
	return lines(
		"--cap-add SYS_PTRACE",
		"securityContext: {capabilities: {add: [SYS_PTRACE]}}",
		`"linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"]}}`)
}

// addAdmin adds CAP_SYS_ADMIN, which Fargate does not know.
func addAdmin(f *Facts) []Line {
	if f.UID != 0 {
		return lines("--user 0 --cap-add SYS_ADMIN", "securityContext: {runAsUser: 0, capabilities: {add: [SYS_ADMIN]}}", "")
	}
	return lines("--cap-add SYS_ADMIN", "securityContext: {capabilities: {add: [SYS_ADMIN]}}", "")
}

// largerShm makes /dev/shm larger. Fargate has no such setting: there the ring is in
// a directory that both containers mount.
func largerShm() []Line {
	return lines(
		"--shm-size 64m",
		"volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 64Mi}}], volumeMounts: [{name: shm, mountPath: /dev/shm}]",
		`"linuxParameters": {"sharedMemorySize": 64}`)
}

// noProfile takes the seccomp profile away.
func noProfile() []Line {
	return lines("--security-opt seccomp=unconfined", "securityContext: {seccompProfile: {type: Unconfined}}", "")
}
