"""Fields of the recorded answers that ours leave out, by the reason. What is not a
feature of ours has no field: a constant in its place would claim that it is."""

OMITTED = {
    "conversations with an agent": """
        conversationAgentId conversationUserId conversationState
        conversationSessionGeneration conversationBoundaryCommentId
        externalChannelBinding clientRequestId
    """,
    "a second name of the version, commits and vendor sign-in": """
        serverVersion commit localAiLoginSupported git
    """,
    "invitations by link while an instance has no owner": """
        bootstrapInviteActive companyDeletionEnabled
    """,
    "recovery at the start: ours is the sweep, under checks": """
        startupRecovery nativeRecovery activeRecoveryAction
    """,
    "a person who answers for what an agent does": """
        responsibleUserId defaultResponsibleUserId interactionResolverGovernance
        onBehalfOfUserId
    """,
    "feedback to the vendor": """
        feedbackDataSharingEnabled feedbackDataSharingConsentAt
        feedbackDataSharingConsentByUserId feedbackDataSharingTermsVersion
    """,
    "logos": "logoAssetId logoUrl",
    "health of the reporting line: a circle cannot be made": "orgChainHealth",
    "memberships and grants of agents: permissions say it": """
        taskAssignSource membership grants canCreateSkills
    """,
    "environments that are not this host": """
        defaultEnvironmentId environment environmentLease
    """,
    "identity contexts": """
        activeIdentityContextId originIdentityContextId continuationIdentityContextId
        identityHistory authorizationReason
    """,
    "versions and decisions of a status": """
        statusVersion lastStatusDecisionId reviewPolicy sourceTrust harnessKind
    """,
    "a second lock beside the checkout": """
        executionAgentNameKey executionLockedAt
    """,
    "monitors and watchdogs of an issue": """
        monitorNextCheckAt monitorWakeRequestedAt monitorLastTriggeredAt
        monitorAttemptCount monitorNotes monitorScheduledBy watchdog
    """,
    "owners of a blockage": """
        unblockDescriptor blockedTransitionAt blockedOwnerNotifiedAt blockerAttention
        reviewAttention executionBlocker successfulRunHandoff scheduledRetry
    """,
    "a fingerprint to find twins by: titles are compared": "originFingerprint",
    "references found in texts": """
        relatedWork referencedIssueIdentifiers mentionedProjects linkedCases
    """,
    "attachments (a later release)": "attachments",
    "a second place for a plan, and reviews of texts": """
        legacyPlanDocument continuationSummary planReviewContext documentReviewContext
    """,
    "workspaces of a project: it has one repository, repoUrl and defaultBranch": """
        env executionWorkspacePolicy codebase workspaces primaryWorkspace
        managedByPlugin
    """,
    "a project's own budget: the overview of budgets has it": "budget",
    "the last stamp of anything around an issue": "lastActivityAt",
    "hints about what a run is doing: its lease says whether it lives": """
        execution lastOutputAt lastOutputSeq lastOutputStream lastOutputBytes
        outputSilence currentStatusMessage currentStatusUpdatedAt currentToolName
        lastAssistantSnippet lastEventAt livenessState livenessReason
        continuationAttempt lastUsefulActionAt nextAction retryExhaustedReason
        recovered processGroupId
    """,
    "other ways to run than ours": """
        runtimeMode runtimeModeResolverVersion runtimeModeReason runtimeModeResolvedAt
        runnerProfileJson runnerInstanceId nativeSessionId nativeIssueId driverKind
        driverVersion completionContractId completionContractSha256 nativePhase
        nativePhaseUpdatedAt controllerBootId controllerLeaseExpiresAt executionStage
        executionControlDeadlineAt executionStatusDeliveryId
    """,
    "retries on a schedule: a retry is a run with retryOfRunId": """
        scheduledRetryAt scheduledRetryAttempt scheduledRetryReason
    """,
    "comments demanded of a run": """
        issueCommentStatus issueCommentSatisfiedByCommentId issueCommentRetryQueuedAt
    """,
    "comments that are deleted, derived or dressed up": """
        derivedAuthorAgentId derivedCreatedByRunId derivedAuthorSource presentation
        deletedAt deletedByType deletedByAgentId deletedByUserId deletedByRunId
    """,
    "where an event came from: there is one source": """
        sourceInstanceId sourceEventId sourceSeq sourcePayloadSha256
        protocolSchemaVersion
    """,
    "advice in a refusal: our `error` says what to do": """
        boundary whoCanAct sanctionedPath
    """,
    "folders of routines, and a gate before them: what is due is fired": """
        folderId activityGatePolicy activityGateScope
    """,
    "how a validator words it: ours has path, message and code": """
        expected origin minimum inclusive values
    """,
}
NAMES = {name for names in OMITTED.values() for name in names.split()}
# A name that we use elsewhere: the sample whose answers lack it, and the name.
ONLY_IN = {
    ("comment", "metadata"),  # an agent has some, a comment has none
    ("issue_patch_status_comment", "metadata"),
    ("issue_patch_409_other", "code"),  # beside `error`, not in its details
    ("issue_release_409_other", "code"),
    ("issue_patch_no_run_id", "details"),
    ("heartbeat_run_events", "color"),
}
# What is inside is the sender's own business.
OPAQUE = {"adapterConfig", "contextSnapshot", "resultJson", "payload", "changes"}
