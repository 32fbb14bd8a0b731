"""The keys that a quadlet may have, by section: data.

[Container]: podman 4.4 to 5.7, podman-systemd.unit(5). The others: what systemd 252 takes itself
(`systemd --dump-configuration-items`) and what came with later ones, up to 257.
"""

from __future__ import annotations

KEYS: dict[str, frozenset[str]] = {
    section: frozenset(keys.split())
    for section, keys in {
        "Unit": """
        After AllowIsolate AssertACPower AssertArchitecture AssertCPUFeature AssertCPUPressure
        AssertCPUs AssertCapability AssertControlGroupController AssertCredential
        AssertDirectoryNotEmpty AssertEnvironment AssertFileIsExecutable AssertFileNotEmpty
        AssertFirstBoot AssertGroup AssertHost AssertIOPressure AssertKernelCommandLine
        AssertKernelModuleLoaded AssertKernelVersion AssertMemory AssertMemoryPressure
        AssertNeedsUpdate AssertOSRelease AssertPathExists AssertPathExistsGlob
        AssertPathIsDirectory AssertPathIsEncrypted AssertPathIsMountPoint AssertPathIsReadWrite
        AssertPathIsSymbolicLink AssertSecurity AssertUser AssertVersion AssertVirtualization Before
        BindTo BindsTo CollectMode ConditionACPower ConditionArchitecture ConditionCPUFeature
        ConditionCPUPressure ConditionCPUs ConditionCapability ConditionControlGroupController
        ConditionCredential ConditionDirectoryNotEmpty ConditionEnvironment
        ConditionFileIsExecutable ConditionFileNotEmpty ConditionFirmware ConditionFirstBoot
        ConditionGroup ConditionHost ConditionIOPressure ConditionKernelCommandLine
        ConditionKernelModuleLoaded ConditionKernelVersion ConditionMemory ConditionMemoryPressure
        ConditionNeedsUpdate ConditionOSRelease ConditionPathExists ConditionPathExistsGlob
        ConditionPathIsDirectory ConditionPathIsEncrypted ConditionPathIsMountPoint
        ConditionPathIsReadWrite ConditionPathIsSymbolicLink ConditionSecurity ConditionUser
        ConditionVersion ConditionVirtualization Conflicts DefaultDependencies Description
        Documentation FailureAction FailureActionExitStatus IgnoreOnIsolate JobRunningTimeoutSec
        JobTimeoutAction JobTimeoutRebootArgument JobTimeoutSec JoinsNamespaceOf OnFailure
        OnFailureIsolate OnFailureJobMode OnSuccess OnSuccessJobMode PartOf PropagateReloadFrom
        PropagateReloadTo PropagatesReloadTo PropagatesStopTo RebootArgument RefuseManualStart
        RefuseManualStop ReloadPropagatedFrom Requires RequiresMountsFor RequiresOverridable
        Requisite RequisiteOverridable SourcePath StartLimitAction StartLimitBurst
        StartLimitInterval StartLimitIntervalSec StopPropagatedFrom StopWhenUnneeded SuccessAction
        SuccessActionExitStatus SurviveFinalKillSignal Upholds Wants
        """,
        "Container": """
        AddCapability AddDevice AddHost Annotation AppArmor AutoUpdate CgroupsMode ContainerName
        ContainersConfModule DNS DNSOption DNSSearch DropCapability Entrypoint Environment
        EnvironmentFile EnvironmentHost Exec ExposeHostPort GIDMap GlobalArgs Group GroupAdd
        HealthCmd HealthInterval HealthLogDestination HealthMaxLogCount HealthMaxLogSize
        HealthOnFailure HealthRetries HealthStartPeriod HealthStartupCmd HealthStartupInterval
        HealthStartupRetries HealthStartupSuccess HealthStartupTimeout HealthTimeout HostName
        HttpProxy IP IP6 Image Label LogDriver LogOpt Mask Memory Mount Network NetworkAlias
        NoNewPrivileges Notify PidsLimit Pod PodmanArgs PublishPort Pull ReadOnly ReadOnlyTmpfs
        ReloadCmd ReloadSignal RemapGid RemapUid RemapUidSize RemapUsers Retry RetryDelay Rootfs
        RunInit SeccompProfile Secret SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel
        SecurityLabelNested SecurityLabelType ServiceName ShmSize StartWithPod StopSignal
        StopTimeout SubGIDMap SubUIDMap Sysctl Timezone Tmpfs UIDMap Ulimit Unmask User UserNS
        VolatileTmp Volume WorkingDir
        """,
        "Service": """
        AllowedCPUs AllowedMemoryNodes AmbientCapabilities AppArmorProfile BPFProgram
        BindNetworkInterface BindPaths BindReadOnlyPaths BlockIOAccounting BlockIODeviceWeight
        BlockIOReadBandwidth BlockIOWeight BlockIOWriteBandwidth BusName CPUAccounting CPUAffinity
        CPUQuota CPUQuotaPeriodSec CPUSchedulingPolicy CPUSchedulingPriority
        CPUSchedulingResetOnFork CPUShares CPUWeight CacheDirectory CacheDirectoryAccounting
        CacheDirectoryMode CacheDirectoryQuota CapabilityBoundingSet ConfigurationDirectory
        ConfigurationDirectoryMode CoredumpFilter CoredumpReceive DefaultMemoryLow DefaultMemoryMin
        DefaultStartupMemoryLow Delegate DelegateSubgroup DeviceAllow DevicePolicy
        DisableControllers DynamicUser Environment EnvironmentFile ExecCondition ExecPaths
        ExecReload ExecSearchPath ExecStart ExecStartPost ExecStartPre ExecStop ExecStopPost
        ExitType ExtensionDirectories ExtensionImagePolicy ExtensionImages FailureAction
        FileDescriptorStoreMax FileDescriptorStorePreserve FinalKillSignal Group GuessMainPID
        IOAccounting IODeviceLatencyTargetSec IODeviceWeight IOReadBandwidthMax IOReadIOPSMax
        IOSchedulingClass IOSchedulingPriority IOWeight IOWriteBandwidthMax IOWriteIOPSMax
        IPAccounting IPAddressAllow IPAddressDeny IPCNamespacePath IPEgressFilterPath
        IPIngressFilterPath IgnoreSIGPIPE ImportCredential InaccessibleDirectories InaccessiblePaths
        KeyringMode KillMode KillSignal LimitAS LimitCORE LimitCPU LimitDATA LimitFSIZE LimitLOCKS
        LimitMEMLOCK LimitMSGQUEUE LimitNICE LimitNOFILE LimitNPROC LimitRSS LimitRTPRIO LimitRTTIME
        LimitSIGPENDING LimitSTACK LoadCredential LoadCredentialEncrypted LockPersonality
        LogExtraFields LogLevelMax LogNamespace LogRateLimitBurst LogRateLimitIntervalSec
        LogsDirectory LogsDirectoryAccounting LogsDirectoryMode LogsDirectoryQuota
        ManagedOOMMemoryPressure ManagedOOMMemoryPressureDurationSec ManagedOOMMemoryPressureLimit
        ManagedOOMPreference ManagedOOMSwap MemoryAccounting MemoryDenyWriteExecute MemoryHigh
        MemoryLimit MemoryLow MemoryMax MemoryMin MemoryPressureThresholdSec MemoryPressureWatch
        MemorySwapMax MemoryZSwapMax MemoryZSwapWriteback MountAPIVFS MountFlags MountImagePolicy
        MountImages NFTSet NUMAMask NUMAPolicy NetworkNamespacePath Nice NoExecPaths NoNewPrivileges
        NonBlocking NotifyAccess OOMPolicy OOMScoreAdjust OpenFile PAMName PIDFile PassEnvironment
        PermissionsStartOnly Personality PrivateBPF PrivateDevices PrivateIPC PrivateMounts
        PrivateNetwork PrivatePIDs PrivateTmp PrivateUsers ProcSubset ProtectClock
        ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules
        ProtectKernelTunables ProtectProc ProtectSystem ReadOnlyDirectories ReadOnlyPaths
        ReadWriteDirectories ReadWritePaths RebootArgument ReloadSignal RemainAfterExit RemoveIPC
        Restart RestartForceExitStatus RestartKillSignal RestartMaxDelaySec RestartMode
        RestartPreventExitStatus RestartRandomizedDelaySec RestartSec RestartSteps
        RestrictAddressFamilies RestrictFileSystems RestrictNamespaces RestrictNetworkInterfaces
        RestrictRealtime RestrictSUIDSGID RootDirectory RootDirectoryStartOnly RootEphemeral
        RootHash RootHashSignature RootImage RootImageOptions RootImagePolicy RootVerity
        RuntimeDirectory RuntimeDirectoryMode RuntimeDirectoryPreserve RuntimeMaxSec
        RuntimeRandomizedExtraSec SELinuxContext SecureBits SendSIGHUP SendSIGKILL SetCredential
        SetCredentialEncrypted SetLoginEnvironment Slice SmackProcessLabel SocketBindAllow
        SocketBindDeny Sockets StandardError StandardInput StandardInputData StandardInputText
        StandardOutput StartLimitAction StartLimitBurst StartLimitInterval StartupAllowedCPUs
        StartupAllowedMemoryNodes StartupBlockIOWeight StartupCPUShares StartupCPUWeight
        StartupIOWeight StartupMemoryHigh StartupMemoryMax StartupMemorySwapMax
        StartupMemoryZSwapMax StateDirectory StateDirectoryAccounting StateDirectoryMode
        StateDirectoryQuota SuccessExitStatus SupplementaryGroups SyslogFacility SyslogIdentifier
        SyslogLevel SyslogLevelPrefix SystemCallArchitectures SystemCallErrorNumber SystemCallFilter
        SystemCallLog TTYColumns TTYPath TTYReset TTYRows TTYVHangup TTYVTDisallocate
        TasksAccounting TasksMax TemporaryFileSystem TimeoutAbortSec TimeoutCleanSec TimeoutSec
        TimeoutStartFailureMode TimeoutStartSec TimeoutStopFailureMode TimeoutStopSec TimerSlackNSec
        Type UMask USBFunctionDescriptors USBFunctionStrings UnsetEnvironment User UtmpIdentifier
        UtmpMode WatchdogSec WatchdogSignal WorkingDirectory
        """,
        "Install": """
        Alias Also DefaultInstance RequiredBy UpheldBy WantedBy
        """,
    }.items()
}

#: Keys that are not the pillar's to set, and why.
OWNED: dict[str, dict[str, str]] = {
    "Container": {
        "Image": "a release's images say which image it is",
        "ContainerName": "the service's container says it",
        "HealthCmd": "the service's health:command says it",
        "Rootfs": "the container has an image",
        "ServiceName": "the unit is named after the container",
        "Pod": "the container is no part of a pod",
        "StartWithPod": "the container is no part of a pod",
    },
    "Unit": {
        "SourcePath": "podman writes it",
        "Conflicts": "a container stops no other unit",
        "RefuseManualStart": "the update starts the unit",
        "RefuseManualStop": "the update stops the unit",
    },
    "Service": {
        "ExecStart": "podman writes it; Exec of [Container] is what the container runs",
        "ExecStop": "podman writes it",
        "ExecStopPost": "podman writes it",
        "RuntimeMaxSec": "the container runs until it is stopped",
        "RootDirectory": "podman itself needs the host's files",
        "RootImage": "podman itself needs the host's files",
    },
    "Install": {
        "Alias": "the unit is named after the container",
        "Also": "the unit is started by itself",
        "DefaultInstance": "the unit is no template",
    },
}

#: Keys with a choice of words: those with which podman makes a unit at all, what systemd knows, and no action
#: that takes the node from under an update.
_NO_ACTION = ("none",)
CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "Unit": dict.fromkeys(
        ("FailureAction", "SuccessAction", "JobTimeoutAction", "StartLimitAction"), _NO_ACTION
    ),
    "Service": {
        "Type": ("notify", "oneshot"),
        "KillMode": ("mixed", "control-group"),
        "Restart": (
            "no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always",
        ),
        "FailureAction": _NO_ACTION,
        "StartLimitAction": _NO_ACTION,
    },
}  # fmt: skip
#: Keys of a choice for which podman makes no unit with other words.
PODMANS = ("Type", "KillMode")

#: Keys whose values systemd or podman split into words, with quotes around blanks; and those of which each
#: word is NAME=VALUE.
PAIRS = frozenset(("Environment", "Label", "Annotation", "Sysctl"))
ARGUMENTS = frozenset(("PodmanArgs", "GlobalArgs"))
WORDS = PAIRS | ARGUMENTS | {"Exec", "ExecCondition", "ExecReload", "ExecStartPost", "ExecStartPre"}

#: Keys whose values often have a colon or a leading zero: YAML makes another number of 0750 and of 42:42.
NO_NUMBERS = frozenset(
    (
        "UMask", "CacheDirectoryMode", "ConfigurationDirectoryMode", "LogsDirectoryMode",
        "RuntimeDirectoryMode", "StateDirectoryMode", "PublishPort", "UIDMap", "GIDMap", "SubUIDMap",
        "SubGIDMap", "User", "Group", "Volume", "AddHost", "IP", "IP6", "Mount", "Tmpfs", "Ulimit",
    )
)  # fmt: skip

#: Options of podman that say again what the engine says, and on which it relies.
OUR_OPTIONS = frozenset(
    (
        "--name", "--replace", "--rm", "--cidfile", "--label-file", "--health-cmd", "--healthcheck-command",
        "--no-healthcheck", "--pull", "--sdnotify", "--cgroups", "--root", "--runroot",
    )
)  # fmt: skip
